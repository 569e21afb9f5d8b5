package proxy

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"passenger/lib/http2"
)

// A stream is a conn whose bytes are not those of a descriptor: it is
// encrypted, or one of several on a connection. It is read and written
// through its net.Conn; raw is nil.

// openStream makes c, which is new, the stream nc and puts it in the clock's
// care.
func (c *conn) openStream(nc net.Conn, k *clock) {
	c.nc, c.clock = nc, k
	k.add(c)
}

// readStream is the reading of finishRead for a stream.
func (c *conn) readStream() error {
	t := &c.in
	p := t.p
	if c.lazyRead > 0 {
		c.lazy = takeBuffer(c.lazyRead)
		p = c.lazy.b
	}
	if c.readBy.Load() == 0 {
		c.readBy.Store(c.clock.after(c.readWait))
	}
	n, err := c.nc.Read(p)
	t.n, t.errno = n, 0
	if n > 0 || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// streamPiece is how much is written at once: a client that takes that much
// within the write timeout is alive.
const streamPiece = 64 << 10

// writeStream is the writing of write for a stream.
func (c *conn) writeStream() error {
	t := &c.out
	if s, ok := c.nc.(*http2.Stream); ok && len(t.p)+len(t.p2) <= streamPiece {
		c.writeBy.Store(c.clock.after(c.writeWait))
		n, err := s.WriteBoth(t.p, t.p2)
		t.n, t.errno = n, 0
		return err
	}
	for _, p := range [...][]byte{t.p, t.p2} {
		for len(p) > 0 {
			c.writeBy.Store(c.clock.after(c.writeWait))
			n, err := c.nc.Write(p[:min(len(p), streamPiece)])
			t.n += n
			if err != nil {
				return err
			}
			p = p[n:]
		}
	}
	t.errno = 0
	return nil
}

// streamGone reports whether the stream's peer is gone. It cannot merely have
// ended its sending side: nobody does over TLS.
func (c *conn) streamGone() bool {
	switch nc := c.nc.(type) {
	case interface{ Gone() bool }:
		return nc.Gone()
	case *tls.Conn:
		sc, ok := transport(nc).(syscall.Conn)
		return ok && hungUp(sc)
	}
	return false
}

// transport is the connection below nc's layers.
func transport(nc net.Conn) net.Conn {
	for {
		switch layer := nc.(type) {
		case interface{ NetConn() net.Conn }:
			nc = layer.NetConn()
		case interface{ Raw() net.Conn }:
			nc = layer.Raw()
		default:
			return nc
		}
	}
}

// hungUp reports whether the peer has closed, though bytes may be unread: the
// last record of TLS is.
func hungUp(sc syscall.Conn) (gone bool) {
	raw, err := sc.SyscallConn()
	if err != nil {
		return true
	}
	err = raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		_, _ = unix.Poll(p, 0) // interrupted is as good as not
		gone = p[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
	})
	return gone || err != nil
}
