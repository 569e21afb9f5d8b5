package http2

import (
	"runtime"
	"sync"
	"time"
)

// An output holds frames until a goroutine writes them. One writes at a time, without the connection's mutex; what the others add meanwhile leaves
// with the next write, so that a busy connection needs few. The connection's
// mutex guards it.
type output struct {
	pending *frames   // nil if there are none
	writing bool      // a goroutine writes
	failed  error     // why no more is written; else nil
	moved   sync.Cond // something was written
	waiting []*Stream // for room, or for the connection's window
}

type frames struct{ b []byte }

var framesPool = sync.Pool{New: func() any { return &frames{b: make([]byte, 0, 4<<10)} }}

func (f *frames) free() {
	if cap(f.b) <= 2*maxPending {
		f.b = f.b[:0]
		framesPool.Put(f)
	}
}

// begin returns the frames to which the caller appends its own.
func (o *output) begin() *[]byte {
	if o.pending == nil {
		o.pending = framesPool.Get().(*frames)
	}
	return &o.pending.b
}

func (o *output) full() bool { return o.pending != nil && len(o.pending.b) >= maxPending }

// wake wakes the streams that wait for the connection.
func (o *output) wake() {
	for i, s := range o.waiting {
		s.queued = false
		s.wake.Broadcast()
		o.waiting[i] = nil
	}
	o.waiting = o.waiting[:0]
}

// flush writes what is pending, unless another goroutine writes already, which
// then writes it, too. flush lets go of mu, which is held, while it writes, and
// reports whether it did.
func (c *Conn) flush() bool {
	o := &c.output
	if o.writing || o.pending == nil || o.failed != nil {
		return false
	}
	o.writing = true
	c.writeOnce()
	if o.pending != nil && o.failed == nil {
		c.work.Go(c.writeRest) // of others: the caller shall not be kept
	} else {
		o.writing = false
	}
	return true
}

// kick has what is pending written by another goroutine: the reader must never
// wait for the client to read. mu is held.
func (c *Conn) kick() {
	if o := &c.output; !o.writing && o.pending != nil && o.failed == nil {
		o.writing = true
		c.work.Go(c.writeRest)
	}
}

func (c *Conn) writeRest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.output.pending != nil && c.output.failed == nil {
		c.writeOnce()
	}
	c.output.writing = false
	c.output.moved.Broadcast()
}

func (c *Conn) writeOnce() {
	o := &c.output
	if c.served > 1 && len(o.pending.b) < maxFrame {
		// Other streams may be about to add theirs; one write costs less than
		// several, as does one record of TLS.
		c.mu.Unlock()
		runtime.Gosched()
		c.mu.Lock()
	}
	f := o.pending
	o.pending = nil
	c.mu.Unlock()
	err := c.nc.SetWriteDeadline(time.Now().Add(c.config.Write))
	if err == nil {
		_, err = c.nc.Write(f.b)
	}
	f.free()
	c.mu.Lock()
	if err != nil {
		// Whatever the reason, the frames after a part of one are lost.
		o.failed = err
		c.end(err)
	}
	o.moved.Broadcast()
	o.wake()
}

// flushLast writes what is pending and returns when all is written. mu is held.
func (c *Conn) flushLast() {
	for o := &c.output; o.failed == nil && (o.pending != nil || o.writing); {
		if !c.flush() {
			o.moved.Wait()
		}
	}
}

// awaitRoom keeps a client that does not read from making us answer on. mu is
// held.
func (c *Conn) awaitRoom() {
	for o := &c.output; o.full() && o.failed == nil; {
		c.kick()
		o.moved.Wait()
	}
}
