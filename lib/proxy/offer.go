package proxy

import (
	"errors"
	"syscall"
	"time"

	"passenger/lib/http2"
	"passenger/lib/proxy/buffering"
	"passenger/lib/proxy/wire"

	"golang.org/x/sys/unix"
)

// offer writes what the client takes of head and part without the process
// having to wait for it, or for no longer than its budget lasts.
func (a *answer) offer(head, part []byte, last bool) (n int, err error) {
	c := a.req.client
	s := c.Socket()
	switch {
	case a.req.mount.mostKept == 0:
		return 0, nil
	case s == nil && last:
		return 0, nil // insist does as well
	case s == nil:
		return c.offerStream(head, part, &a.budget)
	}
	n, err = s.TryWrite(joined(head, part))
	a.budget.Earn(n)
	if !errors.Is(err, syscall.EAGAIN) {
		return n, err
	}
	if last || a.budget <= 0 {
		return n, nil
	}
	m := min(n, len(head))
	began := time.Now()
	c.BoundWrite(time.Duration(a.budget))
	more, err := c.WriteBoth(head[m:], part[n-m:])
	if errors.Is(err, wire.ErrTimeout) && !c.WriteExpired() {
		err = nil
	}
	if err == nil {
		c.RearmWrite()
	}
	a.budget.Spend(time.Since(began))
	a.budget.Earn(more)
	return n + more, err
}

// roomy is how much a socket is sure to take that is writable: TCP calls itself
// that with a third of its buffer free, of 85 kB at first.
const roomy = 16 << 10

// offerStream is offer for a stream. Of one that is encrypted nothing can be
// taken back once it is begun, so small pieces are written as long as the
// socket is writable.
func (c *client) offerStream(head, part []byte, allowed *buffering.Budget) (n int, err error) {
	for _, p := range [...][]byte{head, part} {
		for len(p) > 0 {
			m, err := c.offerPiece(p[:min(len(p), roomy)], allowed)
			n += m
			if err != nil || m == 0 {
				return n, err
			}
			p = p[m:]
		}
	}
	return n, nil
}

// offerPiece writes all of p or nothing.
func (c *client) offerPiece(p []byte, allowed *buffering.Budget) (n int, err error) {
	switch s, ok := c.Net.(*http2.Stream); {
	case ok:
		n, err = s.Offer(p)
		c.Sent += int64(n)
	case c.watch != nil && c.writable(allowed):
		n, err = c.WriteBoth(p, nil)
	}
	allowed.Earn(n)
	return n, err
}

// writable waits until the socket below takes something, for as long as the
// budget lasts.
func (c *client) writable(allowed *buffering.Budget) (ok bool) {
	look := func(fd uintptr) bool {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		_, _ = unix.Poll(p, 0) // interrupted is as good as not
		ok = p[0].Revents != 0
		return ok
	}
	if err := c.watch.Control(func(fd uintptr) { look(fd) }); err != nil || ok || *allowed <= 0 {
		return ok
	}
	began := time.Now()
	c.BoundWrite(time.Duration(*allowed))
	err := c.watch.Write(look)
	c.RearmWrite()
	allowed.Spend(time.Since(began))
	return ok && err == nil
}
