package balance

import (
	"sync/atomic"
	"time"
)

// Waits counts the requests that waited in the queue and got a process.
type Waits struct {
	Number atomic.Uint64
	Time   atomic.Int64 // they together, in nanoseconds
}

// Add counts the wait of a request: d in all, of which before was counted already.
func (w *Waits) Add(before, d time.Duration) {
	if before == 0 {
		w.Number.Add(1)
	}
	w.Time.Add(int64(d - before))
}
