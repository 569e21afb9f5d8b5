package output

import "time"

// A process may write as fast as it likes for a while, but not for good: one
// that floods its output would cost the spawner a processor. What comes beyond
// waits in its FIFO, and the process with it.
const (
	paceRate  = 32 << 20 // bytes a second
	paceBurst = 2 * time.Second
)

// A pace bounds a rate. The zero pace has not seen anything.
type pace struct{ due time.Time }

// wait returns how long to wait when n bytes were read at now.
func (p *pace) wait(now time.Time, n int) time.Duration {
	if full := now.Add(-paceBurst); p.due.Before(full) {
		p.due = full
	}
	p.due = p.due.Add(time.Duration(n) * time.Second / paceRate)
	return max(0, p.due.Sub(now))
}
