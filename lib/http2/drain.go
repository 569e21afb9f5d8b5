package http2

import (
	"time"

	h2 "golang.org/x/net/http2"
)

// A drain is how far a connection is on its way to a graceful end: RFC 9113,
// 6.8. First the client learns that it shall open no more streams; then, when
// it must know, which of them are served; and the connection ends with these.
type drain struct {
	waits       bool   // for the first stream, or the timer
	begun, last bool   // the first and the second GOAWAY were sent
	served      uint32 // the newest stream that the second one lets in
	timer       *time.Timer
}

// lastServed is the newest stream that is served, if newest is the newest one.
// What a GOAWAY said of it may not grow: RFC 9113, 6.8.
func (d *drain) lastServed(newest uint32) uint32 {
	if d.last {
		return d.served
	}
	return newest
}

var drainPing = [8]byte{'d', 'r', 'a', 'i', 'n', 'i', 'n', 'g'}

// Shutdown ends the connection when the requests under way are answered. A client
// that has not asked for anything yet gets a moment for it: one that has just
// connected may give up its request, and not repeat it, if it hears GOAWAY first.
func (c *Conn) Shutdown() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.drain.begun || c.drain.waits || c.ending != nil {
		return
	}
	if c.last > 0 {
		c.beginDrain()
		return
	}
	c.drain.waits = true
	c.drain.timer = time.AfterFunc(roundTrip, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.endWait()
	})
}

// endWait begins the drain that has waited for the first stream. mu is held, as below.
func (c *Conn) endWait() {
	if c.drain.waits && !c.drain.begun && c.ending == nil {
		c.drain.timer.Stop()
		c.beginDrain()
	}
}

func (c *Conn) beginDrain() {
	c.drain.begun = true
	c.sayGoAway(1<<31-1, h2.ErrCodeNo)
	b := c.output.begin()
	*b = appendPing(*b, 0, drainPing)
	c.kick()
	c.drain.timer = time.AfterFunc(roundTrip, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.drainLast()
	})
}

// Idle says that no request is under way, and since when, of a connection that
// was not asked to end.
func (c *Conn) Idle() (since time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.idle, c.served == 0 && !c.drain.waits && !c.drain.begun && c.ending == nil
}

// drainAcked notes that the client answered a ping.
func (c *Conn) drainAcked(data [8]byte) {
	if c.drain.begun && data == drainPing {
		c.drainLast()
	}
}

func (c *Conn) drainLast() {
	if c.drain.last || c.ending != nil {
		return
	}
	c.drain.last, c.drain.served = true, c.last
	c.drain.timer.Stop()
	c.sayGoAway(c.last, h2.ErrCodeNo)
	c.kick()
	if c.served == 0 {
		c.end(errDone)
	}
}

func (c *Conn) sayGoAway(last uint32, code h2.ErrCode) {
	b := c.output.begin()
	*b = appendGoAway(*b, last, code)
}
