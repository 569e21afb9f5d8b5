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
func (q *request) readHead() error {
	c := q.client
	done, err := q.Parse(q.in.B[:q.end])
	if !done && err == nil {
		err = q.readRestOfHead()
	}
	if err != errQuiet {
		c.waitBy = 0
	}
	return err
}

func (q *request) readRestOfHead() error {
	c := q.client
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
		if q.end == len(q.in.B) {
			q.in = q.in.Grown(min(4*len(q.in.B), wire.Large), q.end)
		}
		var n int
		if n, err = read(q.in.B[q.end:]); err != nil {
			break
		}
		q.end += n
		done, err = q.Parse(q.in.B[:q.end])
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
	if x.req.rest != nil {
		x.req.in.Free()
		x.req.in, x.req.start, x.req.end, x.req.rest = x.req.rest, 0, x.req.restEnd, nil
	}
	if x.req.start == x.req.end {
		return false
	}
	x.req.end = copy(x.req.in.B, x.req.in.B[x.req.start:x.req.end])
	x.req.start = 0
	x.reset()
	return true
}

// readBody reads a body of length bytes that fits in the buffer whole, before
// a process is held for it.
func (q *request) readBody(length int) error {
	c := q.client
	need := q.Len + length
	if q.end >= need {
		return nil
	}
	if err := q.sendContinue(); err != nil {
		return err
	}
	if need > len(q.in.B) {
		q.in = q.in.Grown(need, q.end)
		if err := q.Rebase(q.in.B); err != nil {
			return err
		}
	}
	c.HoldRead(c.proxy.Timeouts.Body)
	var err error
	for q.end < need && err == nil {
		var n int
		n, err = c.Read(q.in.B[q.end:need])
		q.end += n
	}
	if late := c.ReleaseRead(); late != nil {
		return late
	}
	return err
}

var continueLine = []byte("HTTP/1.1 100 Continue\r\n\r\n")

// sendContinue tells a client that waits for it to send its body.
func (q *request) sendContinue() error {
	if !q.Continue || q.continued || q.end > q.Len {
		return nil
	}
	q.continued = true
	_, err := q.client.WriteBoth(continueLine, nil)
	return err
}
