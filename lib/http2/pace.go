package http2

import "time"

// A pace keeps a client from having its answers cut to dust at full speed: of
// frames that only a window makes tiny a connection sends one in a while. Such a
// client is served slowly, by which it costs no more than others, and its window
// may have grown by the time of the next frame.
type pace struct{ next time.Time }

const (
	earnest   = 1000 // bytes of a frame that is not tiny
	tinyEvery = time.Millisecond
)

// pace says how long to wait before most of n bytes are sent; 0 if they may be
// now.
func (p *pace) pace(most, n int) (wait time.Duration) {
	if most >= min(n, earnest) {
		return 0
	}
	now := time.Now()
	if now.Before(p.next) {
		return p.next.Sub(now)
	}
	p.next = now.Add(tinyEvery)
	return 0
}
