package wire

import (
	"errors"
	"net"
	"syscall"
)

// A Socket is the transport of a connection that is a descriptor. Reading and
// writing are tried with raw system calls first, and wait in the runtime's
// poller only if they would block.
type Socket struct {
	conn *Conn
	raw  syscall.RawConn

	in  receipt
	out dispatch

	readFn, writeFn func(uintptr) bool // tryRead and tryWrite, bound once
}

// A receipt is a read under way.
type receipt struct {
	p      []byte  // where to; nil for a buffer
	size   int     // of the buffer to take
	buffer *Buffer // that was taken
	once   bool    // fail with EAGAIN rather than wait
	n      int
	errno  syscall.Errno
}

// A dispatch is a write under way: what is left of p and then of p2.
type dispatch struct {
	p, p2 []byte
	once  bool // fail with EAGAIN rather than wait
	n     int
	errno syscall.Errno
	iov   [2]syscall.Iovec
}

func newSocket(c *Conn, nc net.Conn) (*Socket, error) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil, errors.New("internal error: a connection without a descriptor")
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &Socket{conn: c, raw: raw}
	s.readFn, s.writeFn = s.tryRead, s.tryWrite
	return s, nil
}

// Raw is the descriptor, for a poller to watch.
func (s *Socket) Raw() syscall.RawConn { return s.raw }

func (s *Socket) read(p []byte, size int) (b *Buffer, n int, err error) {
	t := &s.in
	t.p, t.size = p, size
	err = s.raw.Read(s.readFn)
	b, n = t.buffer, t.n
	t.p, t.buffer, t.n = nil, nil, 0
	switch {
	case err != nil:
		return b, 0, err
	case t.errno != 0:
		return b, 0, t.errno
	}
	return b, n, nil
}

// tryRead reads once. It returns false to wait.
func (s *Socket) tryRead(fd uintptr) (done bool) {
	t := &s.in
	p := t.p
	if p == nil {
		if t.buffer == nil {
			t.buffer = TakeBuffer(t.size)
		}
		p = t.buffer.B
	}
	t.n, t.errno = receive(fd, p, 0)
	if t.errno != syscall.EAGAIN || t.once {
		return true
	}
	if t.buffer != nil {
		t.buffer.Free()
		t.buffer = nil
	}
	s.conn.beginRead()
	return false
}

// TryRead reads as Conn.Read does, but fails with EAGAIN rather than wait.
func (s *Socket) TryRead(p []byte) (n int, err error) {
	s.in.once = true
	n, err = s.conn.Read(p)
	s.in.once = false
	return n, err
}

// ReadNow reads what is there, while no other goroutine reads, and returns how much
// that was: 0 for nothing, the end or a failure, of which a read tells later.
func (s *Socket) ReadNow(p []byte) (n int) {
	_ = s.raw.Control(func(fd uintptr) { n, _ = receive(fd, p, 0) })
	return n
}

func (s *Socket) write(p, p2 []byte) (n int, err error) {
	t := &s.out
	t.p, t.p2, t.n = p, p2, 0
	err = s.raw.Write(s.writeFn)
	t.p, t.p2 = nil, nil
	if err == nil && t.errno != 0 {
		err = t.errno
	}
	return t.n, err
}

// tryWrite writes all. It returns false to wait.
func (s *Socket) tryWrite(fd uintptr) (done bool) {
	t := &s.out
	for len(t.p) > 0 || len(t.p2) > 0 {
		n, errno := t.send(fd)
		if errno == syscall.EAGAIN && !t.once {
			s.conn.writing.begin(s.conn.Clock.After(s.conn.WriteWait))
			return false
		}
		if t.errno = errno; errno != 0 {
			return true
		}
		s.wrote()
		t.advance(n)
	}
	t.errno = 0
	return true
}

// advance goes on behind n bytes that were sent.
func (t *dispatch) advance(n int) {
	t.n += n
	m := min(n, len(t.p))
	t.p, t.p2 = t.p[m:], t.p2[n-m:]
}

// wrote begins a wait to write anew, if there is one: the peer takes something.
func (s *Socket) wrote() {
	if s.conn.WriteWaits() {
		s.conn.beginWrite()
	}
}

// TryWrite writes as Conn.WriteBoth does, but fails with EAGAIN rather than wait.
func (s *Socket) TryWrite(p, p2 []byte) (n int, err error) {
	s.out.once = true
	n, err = s.conn.WriteBoth(p, p2)
	s.out.once = false
	return n, err
}

// moved is false: a write that waits notes by itself what the peer takes.
func (s *Socket) moved() bool { return false }
