package proxy

import (
	"errors"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/http2"
)

// offer writes what the client takes of head and part without the process
// having to wait for it, or for no longer than it has credit.
func (x *exchange) offer(head, part []byte, last bool) (n int, err error) {
	c := x.client
	switch {
	case x.mount.mostKept == 0:
		return 0, nil
	case c.raw == nil && last:
		return 0, nil // insist does as well
	case c.raw == nil:
		return c.offerStream(head, part, &x.credit)
	}
	c.casual = true
	n, err = x.writeBoth(head, part)
	c.casual = false
	x.credit.earn(n)
	if !errors.Is(err, syscall.EAGAIN) {
		return n, err
	}
	if last || x.credit <= 0 {
		return n, nil
	}
	m := min(n, len(head))
	began := time.Now()
	_ = c.nc.SetWriteDeadline(began.Add(time.Duration(x.credit))) // a closed one fails when it is written
	more, err := c.write(head[m:], part[n-m:])
	if errors.Is(err, errTimeout) && c.writeBy.Load() != expired {
		err = nil
	}
	if err == nil {
		c.rearmWrite()
	}
	x.credit.spend(time.Since(began))
	x.credit.earn(more)
	return n + more, err
}

// rearmWrite ends a deadline of writing that is not the clock's.
func (c *conn) rearmWrite() {
	c.expiry.Lock()
	defer c.expiry.Unlock()
	_ = c.nc.SetWriteDeadline(time.Time{})
	if c.clock.ending.Load() {
		_ = c.nc.SetWriteDeadline(time.Now().Add(lastWords))
	}
}

// roomy is how much a socket is sure to take that is writable: TCP calls itself
// that with a third of its buffer free, of 85 kB at first.
const roomy = 16 << 10

// offerStream is offer for a stream. Of one that is encrypted nothing can be
// taken back once it is begun, so small pieces are written as long as the
// socket is writable.
func (c *client) offerStream(head, part []byte, allowed *credit) (n int, err error) {
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
func (c *client) offerPiece(p []byte, allowed *credit) (n int, err error) {
	switch s, ok := c.nc.(*http2.Stream); {
	case ok:
		n, err = s.Offer(p)
		c.sent += int64(n)
	case c.watch != nil && c.writable(allowed):
		n, err = c.write(p, nil)
	}
	allowed.earn(n)
	return n, err
}

// writable waits until the socket below takes something, for as long as the
// credit lasts.
func (c *client) writable(allowed *credit) (ok bool) {
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
	_ = c.nc.SetWriteDeadline(began.Add(time.Duration(*allowed))) // a closed one fails when it is written
	err := c.watch.Write(look)
	c.rearmWrite()
	allowed.spend(time.Since(began))
	return ok && err == nil
}
