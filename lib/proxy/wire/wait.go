package wire

import "time"

// LastWords is how long a write may take once the clock is ending.
const LastWords = time.Second

// WaitUntil has c wait until by without reading; the clock ends the wait.
func (c *Conn) WaitUntil(by int64) { c.readBy.Store(by) }

// WaitsUntil is when the present wait for a byte ends.
func (c *Conn) WaitsUntil() int64 { return c.readBy.Load() }

// Hasten has the present wait for a byte end at by, if it would end later.
func (c *Conn) Hasten(by int64) {
	if v := c.readBy.Load(); v > by {
		c.readBy.CompareAndSwap(v, by)
	}
}

// EndRead ends a wait that WaitUntil began, and says if it had already ended by
// itself.
func (c *Conn) EndRead() error { return settle(&c.readBy) }

// ReadExpired and WriteExpired say that the clock ended a wait.
func (c *Conn) ReadExpired() bool  { return c.readBy.Load() == expired }
func (c *Conn) WriteExpired() bool { return c.writeBy.Load() == expired }

// UnboundRead lets reads wait for ever, but for what Postpone says.
func (c *Conn) UnboundRead() {
	c.hold = true
	c.readBy.Store(0)
}

// InterruptRead and interruptWrite end the wait of another goroutine. Of what is
// closed already they need not.
func (c *Conn) InterruptRead()  { _ = c.Net.SetReadDeadline(past) }
func (c *Conn) InterruptWrite() { _ = c.Net.SetWriteDeadline(past) }

// WriteWaits says that a write waits for the other side.
func (c *Conn) WriteWaits() bool { return c.writeBy.Load() > 0 }

// BoundWrite has writes fail after d. What is closed fails by itself.
func (c *Conn) BoundWrite(d time.Duration) { _ = c.Net.SetWriteDeadline(time.Now().Add(d)) }

// RearmWrite ends a deadline of writing that is not the clock's.
func (c *Conn) RearmWrite() {
	c.expiry.Lock()
	defer c.expiry.Unlock()
	_ = c.Net.SetWriteDeadline(time.Time{})
	if c.Clock.Ending.Load() {
		_ = c.Net.SetWriteDeadline(time.Now().Add(LastWords))
	}
}
