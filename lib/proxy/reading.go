package proxy

import (
	"errors"
	"syscall"

	"passenger/lib/proxy/wire"
)

// What an exchange reads from its client before a process is involved.

// readHead reads on until the request's head is complete. It returns an
// *http1.Error if it never can be, and errQuiet if the client should be parked
// until more of it comes.
func (x *exchange) readHead() error {
	c := x.client
	done, err := x.req.Parse(x.in.B[:x.end])
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
		c.waitBy = c.Clock.After(c.proxy.Timeouts.Header)
	}
	parks := c.mayPark()
	read := c.Read
	switch s := c.Socket(); {
	case !parks:
		c.HoldReadUntil(c.waitBy)
	case s == nil:
		c.HoldReadUntil(min(c.waitBy, c.Clock.After(newPatience)))
	default:
		read = s.TryRead
	}
	var done bool
	var err error
	for !done && err == nil {
		if x.end == len(x.in.B) {
			x.in = x.in.Grown(min(4*len(x.in.B), wire.Large), x.end)
		}
		var n int
		if n, err = read(x.in.B[x.end:]); err != nil {
			break
		}
		x.end += n
		done, err = x.req.Parse(x.in.B[:x.end])
	}
	if c.ReleaseRead() != nil && (done || parks) {
		c.Rearm() // it came in the last moment, or may come yet
	}
	if parks && (errors.Is(err, syscall.EAGAIN) || errors.Is(err, wire.ErrTimeout)) {
		err = errQuiet
		if c.Clock.Now.Load() >= c.waitBy {
			err = wire.ErrTimeout
		}
	}
	return err
}

// next moves bytes of a further request to the buffer's start, and says if
// there are any.
func (x *exchange) next() bool {
	if x.rest != nil {
		x.in.Free()
		x.in, x.start, x.end, x.rest = x.rest, 0, x.restEnd, nil
	}
	if x.start == x.end {
		return false
	}
	x.end = copy(x.in.B, x.in.B[x.start:x.end])
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
	if need > len(x.in.B) {
		x.in = x.in.Grown(need, x.end)
		if err := x.req.Rebase(x.in.B); err != nil {
			return err
		}
	}
	c.HoldRead(c.proxy.Timeouts.Body)
	var err error
	for x.end < need && err == nil {
		var n int
		n, err = c.Read(x.in.B[x.end:need])
		x.end += n
	}
	if late := c.ReleaseRead(); late != nil {
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
	_, err := x.client.WriteBoth(continueLine, nil)
	return err
}
