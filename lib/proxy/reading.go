package proxy

import (
	"errors"
	"syscall"
)

// What an exchange reads from its client before a process is involved.

// readHead reads on until the request's head is complete. It returns an
// *http1.Error if it never can be, and errQuiet if the client should be parked
// until more of it comes.
func (x *exchange) readHead() error {
	c := x.client
	done, err := x.req.Parse(x.in.b[:x.end])
	if !done && err == nil {
		err = x.readRestOfHead()
	}
	if err != errQuiet {
		c.waitBy = 0
	}
	return err
}

func (x *exchange) readRestOfHead() error {
	c := x.client
	if c.waitBy == 0 {
		c.waitBy = c.clock.after(c.proxy.Timeouts.Header)
	}
	parks := c.mayPark()
	switch {
	case !parks:
		c.holdReadUntil(c.waitBy)
	case c.raw == nil:
		c.holdReadUntil(min(c.waitBy, c.clock.after(newPatience)))
	default:
		c.impatient = true
	}
	var done bool
	var err error
	for !done && err == nil {
		if x.end == len(x.in.b) {
			x.in = x.in.grown(min(4*len(x.in.b), large), x.end)
		}
		var n int
		if n, err = c.read(x.in.b[x.end:]); err != nil {
			break
		}
		x.end += n
		done, err = x.req.Parse(x.in.b[:x.end])
	}
	c.impatient = false
	if c.releaseRead() != nil && (done || parks) {
		c.rearm() // it came in the last moment, or may come yet
	}
	if parks && (errors.Is(err, syscall.EAGAIN) || errors.Is(err, errTimeout)) {
		err = errQuiet
		if c.clock.now.Load() >= c.waitBy {
			err = errTimeout
		}
	}
	return err
}

// next moves bytes of a further request to the buffer's start, and says if
// there are any.
func (x *exchange) next() bool {
	if x.rest != nil {
		x.in.free()
		x.in, x.start, x.end, x.rest = x.rest, 0, x.restEnd, nil
	}
	if x.start == x.end {
		return false
	}
	x.end = copy(x.in.b, x.in.b[x.start:x.end])
	x.start = 0
	x.reset()
	return true
}

// readBody reads a body of length bytes that fits in the buffer whole, before
// a process is held for it.
func (x *exchange) readBody(length int) error {
	c := x.client
	need := x.req.Len + length
	if x.end >= need {
		return nil
	}
	if err := x.sendContinue(); err != nil {
		return err
	}
	if need > len(x.in.b) {
		x.in = x.in.grown(need, x.end)
		if err := x.req.Rebase(x.in.b); err != nil {
			return err
		}
	}
	c.holdRead(c.proxy.Timeouts.Body)
	var err error
	for x.end < need && err == nil {
		var n int
		n, err = c.read(x.in.b[x.end:need])
		x.end += n
	}
	if late := c.releaseRead(); late != nil {
		return late
	}
	return err
}

var continueLine = []byte("HTTP/1.1 100 Continue\r\n\r\n")

// sendContinue tells a client that waits for it to send its body.
func (x *exchange) sendContinue() error {
	if !x.req.Continue || x.continued || x.end > x.req.Len {
		return nil
	}
	x.continued = true
	_, err := x.client.write(continueLine, nil)
	return err
}
