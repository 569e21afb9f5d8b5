package wire

import (
	"sync/atomic"
	"time"
)

// LastWords is how long a write may take once the clock is ending.
const LastWords = time.Second

// past is a deadline that ends a wait at once.
var past = time.Unix(1, 0)

// A wait is that of one direction of a connection: when it ends, in the clock's
// time; 0 while there is none, expired once the clock has ended it.
type wait struct{ by atomic.Int64 }

const expired = -1

// begin has a wait end at by if none has begun.
func (w *wait) begin(by int64) {
	if w.by.Load() == 0 {
		w.by.Store(by)
	}
}

// settle ends a wait, and returns ErrTimeout if the clock had ended it.
func (w *wait) settle() error {
	if v := w.by.Load(); v != 0 && (v == expired || !w.by.CompareAndSwap(v, 0)) {
		// Only the clock changes it behind our back, or Postpone.
		if w.by.Load() == expired {
			return ErrTimeout
		}
		w.by.Store(0)
	}
	return nil
}

// due returns when a wait that is over by now was to end, 0 if none is over.
func (w *wait) due(now int64) int64 {
	if v := w.by.Load(); v > 0 && v <= now {
		return v
	}
	return 0
}

// expire ends the waits of c that are over by now. Only the clock calls it.
func (c *Conn) expire(now int64) {
	if v := c.reading.due(now); v != 0 && !(c.Waker != nil && c.Waker.Wake()) {
		c.end(&c.reading, v, c.Net.SetReadDeadline)
	}
	v := c.writing.due(now)
	switch {
	case v == 0:
	case c.transport.moved():
		c.writing.by.CompareAndSwap(v, c.Clock.After(c.WriteWait)) // unless that write is over
	default:
		c.end(&c.writing, v, c.Net.SetWriteDeadline)
	}
}

// end ends w, which was to end at v, and the runtime's wait with it.
func (c *Conn) end(w *wait, v int64, setDeadline func(time.Time) error) {
	c.expiry.Lock()
	defer c.expiry.Unlock()
	if w.by.CompareAndSwap(v, expired) {
		_ = setDeadline(past) // a closed connection waits no more
	}
}

// beginRead begins the wait of one read, unless a wait is held.
func (c *Conn) beginRead() { c.reading.begin(c.Clock.After(c.ReadWait)) }

// beginWrite begins the wait of a write, or begins it anew, since the peer took
// something.
func (c *Conn) beginWrite() { c.writing.by.Store(c.Clock.After(c.WriteWait)) }

// HoldRead bounds all reads until ReleaseRead together.
func (c *Conn) HoldRead(wait time.Duration) { c.HoldReadUntil(c.Clock.After(wait)) }

// HoldReadUntil is HoldRead until by, in the clock's time.
func (c *Conn) HoldReadUntil(by int64) {
	c.held = true
	c.reading.by.Store(by)
}

// UnboundRead lets reads wait for ever, until Postpone sets an end.
func (c *Conn) UnboundRead() { c.HoldReadUntil(0) }

// ReleaseRead ends a wait that was held, and returns ErrTimeout if it had ended
// by itself.
func (c *Conn) ReleaseRead() error {
	c.held = false
	return c.reading.settle()
}

// Postpone has a wait that is held end at by, unless it has ended. It may be
// called from any goroutine.
func (c *Conn) Postpone(by int64) {
	w := &c.reading.by
	for v := w.Load(); v != expired && !w.CompareAndSwap(v, by); {
		v = w.Load()
	}
}

// Hasten has the present wait for a byte end at by, if it would end later. It
// may be called from any goroutine.
func (c *Conn) Hasten(by int64) {
	if v := c.reading.by.Load(); v > by {
		c.reading.by.CompareAndSwap(v, by)
	}
}

// WaitUntil begins a wait for a byte without reading, until by; EndRead ends it.
func (c *Conn) WaitUntil(by int64) { c.reading.by.Store(by) }

// WaitsUntil returns when the present wait for a byte ends.
func (c *Conn) WaitsUntil() int64 { return c.reading.by.Load() }

// EndRead ends a wait that WaitUntil began, and returns ErrTimeout if it had
// ended by itself.
func (c *Conn) EndRead() error { return c.reading.settle() }

// ReadExpired reports whether the clock ended a wait to read.
func (c *Conn) ReadExpired() bool { return c.reading.by.Load() == expired }

// WriteExpired reports whether the clock ended a wait to write.
func (c *Conn) WriteExpired() bool { return c.writing.by.Load() == expired }

// WriteWaits reports whether a write waits for the peer.
func (c *Conn) WriteWaits() bool { return c.writing.by.Load() > 0 }

// Interrupt ends the waits of other goroutines on c, as InterruptRead and
// InterruptWrite do for one direction. A connection that is closed needs none.
func (c *Conn) Interrupt() { _ = c.Net.SetDeadline(past) }

// InterruptRead is Interrupt for the goroutine that reads.
func (c *Conn) InterruptRead() { _ = c.Net.SetReadDeadline(past) }

// InterruptWrite is Interrupt for the goroutine that writes.
func (c *Conn) InterruptWrite() { _ = c.Net.SetWriteDeadline(past) }

// Rearm makes c good for reading again after a wait that ended.
func (c *Conn) Rearm() {
	c.expiry.Lock()
	defer c.expiry.Unlock()
	c.reading.by.Store(0)
	if !c.Clock.Ending.Load() {
		_ = c.Net.SetReadDeadline(time.Time{}) // a closed one fails when it is read
	}
}

// BoundWrite has writes fail after d. What is closed fails by itself.
func (c *Conn) BoundWrite(d time.Duration) { _ = c.Net.SetWriteDeadline(time.Now().Add(d)) }

// RearmWrite takes back what BoundWrite said.
func (c *Conn) RearmWrite() {
	c.expiry.Lock()
	defer c.expiry.Unlock()
	_ = c.Net.SetWriteDeadline(time.Time{})
	if c.Clock.Ending.Load() {
		_ = c.Net.SetWriteDeadline(time.Now().Add(LastWords))
	}
}
