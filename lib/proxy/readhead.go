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
