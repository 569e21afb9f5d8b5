package wire

import (
	"errors"
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"passenger/lib/http2"
)

// A stream is the transport of a connection whose bytes are not those of a
// descriptor: it is encrypted, or one of several on a connection. It is read and
// written through its net.Conn.
type stream struct{ conn *Conn }

func (s stream) read(p []byte, size int) (b *Buffer, n int, err error) {
	if p == nil {
		b = TakeBuffer(size)
		p = b.B
	}
	s.conn.beginRead()
	if n, err = s.conn.Net.Read(p); n > 0 || errors.Is(err, io.EOF) {
		err = nil
	}
	return b, n, err
}

// streamPiece is how much is written at once: a client that takes that much
// within the write timeout is alive.
const streamPiece = 64 << 10

func (s stream) write(p, p2 []byte) (n int, err error) {
	if h, ok := s.conn.Net.(*http2.Stream); ok && len(p)+len(p2) <= streamPiece {
		s.conn.beginWrite()
		return h.WriteBoth(p, p2)
	}
	for _, part := range [...][]byte{p, p2} {
		for len(part) > 0 {
			s.conn.beginWrite()
			m, err := s.conn.Net.Write(part[:min(len(part), streamPiece)])
			if n += m; err != nil {
				return n, err
			}
			part = part[m:]
		}
	}
	return n, nil
}

// moved knows of HTTP/2 only, whose client may take little at a time.
func (s stream) moved() bool {
	m, ok := s.conn.Net.(interface{ Moved() bool })
	return ok && m.Moved()
}

// gone may find bytes unread when the peer has ended the sending side: the last
// record of TLS is.
func (s stream) gone() (end, broken bool) {
	if h, ok := s.conn.Net.(interface{ Gone() bool }); ok {
		return false, h.Gone()
	}
	p := pollBelow(s.conn.Net)
	return p.ended, p.broken
}

// say writes only if the socket below has room.
func (s stream) say(text []byte) (said, ok bool) {
	if p := pollBelow(s.conn.Net); !p.writable {
		return false, !p.broken
	}
	_, err := s.conn.Net.Write(text)
	return err == nil, err == nil
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

func pollBelow(nc net.Conn) (s polled) {
	sc, ok := Transport(nc).(syscall.Conn)
	if !ok {
		return s
	}
	raw, err := sc.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			got := poll(fd, unix.POLLRDHUP|unix.POLLOUT)
			s = polled{ended: got&unix.POLLRDHUP != 0, broken: got&(unix.POLLHUP|unix.POLLERR) != 0, writable: got&unix.POLLOUT != 0}
		})
	}
	s.broken = s.broken || err != nil
	return s
}
