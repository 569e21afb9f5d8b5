package admin

import (
	"math"
	"sync"
	"time"
)

// shareSettles is how fast the mean follows the share of free places: two thirds of
// a step within this time. A balancer hears of it a second late or so and sends by
// it what it has until the next time. Of the share as it is right then every
// machine would be flooded and left alone in turns: with 4 places on each of 8
// machines, half of them in use, requests waited 250 ms that wait 25 ms now.
const shareSettles = 5 * time.Second

// A mean is of a share at the times that it was asked for. The zero mean is ready.
type mean struct {
	mu    sync.Mutex // guards what follows
	value float64
	at    time.Time
}

// with adds a share of now, and returns the mean.
func (m *mean) with(share float64, now time.Time) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.at.IsZero() {
		m.value = share
	}
	m.value += (share - m.value) * (1 - math.Exp(-float64(now.Sub(m.at))/float64(shareSettles)))
	m.at = now
	return m.value
}
