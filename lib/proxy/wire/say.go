package wire

import (
	"net"
	"syscall"
)

// Say sends a few bytes without waiting. ok is false if they did not leave as
// a whole; then the connection is good for nothing.
func (c *Conn) Say(text []byte) (ok bool) {
	if c.Raw == nil {
		return sayTo(c.Net, text)
	}
	t := transfer{p: text}
	err := c.Raw.Control(func(fd uintptr) {
		n, errno := t.send(fd)
		ok = errno == 0 && n == len(text) || errno == syscall.EAGAIN
	})
	return ok && err == nil
}

// sayTo is say for a stream, which is not written to unless its socket has room.
func sayTo(nc net.Conn, text []byte) (ok bool) {
	if s := pollOf(nc); !s.writable {
		return !s.broken
	}
	_, err := nc.Write(text)
	return err == nil
}
