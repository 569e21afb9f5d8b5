package wire

import (
	"errors"
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"passenger/lib/http2"
)

// A stream is a Conn whose bytes are not those of a descriptor: it is
// encrypted, or one of several on a connection. It is read and written
// through its net.Conn; raw is nil.

// OpenStream makes c, which is new, the stream nc and puts it in the clock's
// care.
func (c *Conn) OpenStream(nc net.Conn, k *Clock) {
	c.Net, c.Clock = nc, k
	k.add(c)
}

// readStream is the reading of finishRead for a stream.
func (c *Conn) readStream() error {
	t := &c.in
	p := t.p
	if c.lazyRead > 0 {
		c.lazy = TakeBuffer(c.lazyRead)
		p = c.lazy.B
	}
	if c.readBy.Load() == 0 {
		c.readBy.Store(c.Clock.After(c.ReadWait))
	}
	n, err := c.Net.Read(p)
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
func (c *Conn) writeStream() error {
	t := &c.out
	if s, ok := c.Net.(*http2.Stream); ok && len(t.p)+len(t.p2) <= streamPiece {
		c.writeBy.Store(c.Clock.After(c.WriteWait))
		n, err := s.WriteBoth(t.p, t.p2)
		t.n, t.errno = n, 0
		return err
	}
	for _, p := range [...][]byte{t.p, t.p2} {
		for len(p) > 0 {
			c.writeBy.Store(c.Clock.After(c.WriteWait))
			n, err := c.Net.Write(p[:min(len(p), streamPiece)])
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

// streamMoved says whether the peer of a stream took something since it was asked
// last, as far as the stream knows.
func (c *Conn) streamMoved() bool {
	m, ok := c.Net.(interface{ Moved() bool })
	return ok && m.Moved()
}

// streamGone is gone for a stream. Bytes may be unread when its peer has ended
// the sending side: the last record of TLS is.
func (c *Conn) streamGone() (end, broken bool) {
	if h, ok := c.Net.(interface{ Gone() bool }); ok {
		return false, h.Gone()
	}
	s := pollOf(c.Net)
	return s.ended, s.broken
}

// Transport is the connection below nc's layers.
func Transport(nc net.Conn) net.Conn {
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

// A polled is the state of the socket below a stream.
type polled struct {
	ended    bool // its peer sends no more
	broken   bool // nor reads
	writable bool // it takes a few bytes at once
}

func pollOf(nc net.Conn) (s polled) {
	sc, ok := Transport(nc).(syscall.Conn)
	if !ok {
		return s
	}
	raw, err := sc.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP | unix.POLLOUT}}
			_, _ = unix.Poll(p, 0) // interrupted is as good as not
			is := func(events int16) bool { return p[0].Revents&events != 0 }
			s = polled{ended: is(unix.POLLRDHUP), broken: is(unix.POLLHUP | unix.POLLERR), writable: is(unix.POLLOUT)}
		})
	}
	s.broken = s.broken || err != nil
	return s
}

// HasNews says that a client sent something, or ended.
func HasNews(raw syscall.RawConn) (news bool) {
	err := raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLRDHUP}}
		_, _ = unix.Poll(p, 0) // interrupted is as good as not
		news = p[0].Revents != 0
	})
	return news || err != nil
}
