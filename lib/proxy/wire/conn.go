// Package wire holds connections that cost nothing while they wait: a read or a
// write is one system call when there is something to do, a wait sets no timer,
// and an idle connection has no buffer. One Clock bounds the waits of all.
//
// A Conn is a connection to a client or to a process. A Caller is the second
// kind, which we opened. Both move their bytes by a transport: a *Socket is a
// descriptor, a stream is TLS, HTTP/2 or what stands behind a PROXY header.
package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"passenger/lib/list"
)

// ErrTimeout means that a wait lasted too long.
var ErrTimeout = errors.New("timed out")

// A Conn is a connection to a client or a process. One goroutine at a time may
// read and one may write. Methods that end waits may be called from any
// goroutine.
//
// After a wait that ended by itself the connection is good for closing, for an
// answer if it was a wait to read, or for Rearm.
type Conn struct {
	Net   net.Conn
	Clock *Clock

	// Waker is the owner of a connection that may be asleep; nil for a
	// connection that never is.
	Waker Waker

	// ReadWait and WriteWait bound one read, and the time in which the peer
	// takes nothing of a write.
	ReadWait, WriteWait time.Duration

	// Sent counts the bytes written.
	Sent int64

	foretold int // of what is written next were sent already

	transport transport

	reading, writing wait
	held             bool       // reading lasts over reads
	expiry           sync.Mutex // makes a wait's end and the runtime's deadline one step

	watched list.Node[*Conn] // by the clock
}

// A Waker is woken when a wait of its connection is over while no goroutine
// reads. Wake reports whether it was asleep.
type Waker interface{ Wake() bool }

// Open makes c, which is new, the connection nc on a descriptor and puts it in
// the clock's care. If it fails nc is closed.
func (c *Conn) Open(nc net.Conn, k *Clock) error {
	s, err := newSocket(c, nc)
	if err != nil {
		nc.Close()
		return err
	}
	c.open(nc, s, k)
	return nil
}

// OpenStream makes c, which is new, the connection nc, whose bytes are not those
// of a descriptor, and puts it in the clock's care.
func (c *Conn) OpenStream(nc net.Conn, k *Clock) { c.open(nc, stream{c}, k) }

func (c *Conn) open(nc net.Conn, t transport, k *Clock) {
	c.Net, c.transport, c.Clock = nc, t, k
	k.add(c)
}

// Socket returns the descriptor that c is, nil if c is a stream.
func (c *Conn) Socket() *Socket {
	s, _ := c.transport.(*Socket)
	return s
}

// Close closes the connection. It may be called from any goroutine, and more
// than once.
func (c *Conn) Close() {
	c.Clock.Remove(c)
	_ = c.Net.Close() // there is nothing left to lose
}

// Reset closes the connection so that the peer sees an error and no end.
func (c *Conn) Reset() {
	if e, ok := c.Net.(interface{ Break() }); ok {
		e.Break()
	}
	below := Transport(c.Net)
	if t, ok := below.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // it may be closed already
	}
	if below != c.Net {
		_ = below.Close() // before TLS could say that all is well
	}
	c.Close()
}

// CloseWrite ends the sending side.
func (c *Conn) CloseWrite() {
	if h, ok := c.Net.(interface{ CloseWrite() error }); ok {
		_ = h.CloseWrite() // the peer may be gone; reading tells
	}
}

// Read reads once, for no longer than ReadWait unless the wait is held. At the
// end it returns io.EOF.
func (c *Conn) Read(p []byte) (int, error) {
	_, n, err := c.transport.read(p, 0)
	return n, c.finishRead(n, err)
}

// ReadLazily reads once, as Read does, into a buffer of size that it takes only
// when there is something to read. Without an error the caller frees the buffer.
func (c *Conn) ReadLazily(size int) (*Buffer, int, error) {
	b, n, err := c.transport.read(nil, size)
	if err = c.finishRead(n, err); err != nil {
		b.FreeIf()
		return nil, 0, err
	}
	return b, n, nil
}

// finishRead ends the wait of a read that brought n bytes and err, and returns
// what the read failed with.
func (c *Conn) finishRead(n int, err error) error {
	if !c.held {
		if late := c.reading.settle(); late != nil {
			if isOfWait(err) {
				return late
			}
			c.Rearm() // it came in the last moment
		}
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ErrTimeout
	case err == nil && n == 0:
		return io.EOF
	}
	return err
}

// isOfWait reports whether err ended the wait for a byte, rather than being what
// came instead of a byte, which is the kernel's answer.
func isOfWait(err error) bool {
	_, came := err.(syscall.Errno)
	return err != nil && !came
}

// WriteBoth writes all of p and then all of p2, which may be empty.
func (c *Conn) WriteBoth(p, p2 []byte) (n int, err error) {
	skipped := 0
	if c.foretold > 0 {
		p, p2, skipped = c.skipForetold(p, p2)
	}
	n, err = c.transport.write(p, p2)
	n += skipped
	return n, c.finishWrite(n, err)
}

// skipForetold returns the parts of p and p2 that are still to be written, and how
// many bytes are written already.
func (c *Conn) skipForetold(p, p2 []byte) (rest, rest2 []byte, skipped int) {
	m := min(c.foretold, len(p))
	m2 := min(c.foretold-m, len(p2))
	c.foretold -= m + m2
	return p[m:], p2[m2:], m + m2
}

// finishWrite counts n bytes and ends the wait of a write that failed with err,
// nil if it did not, and returns what the write failed with.
func (c *Conn) finishWrite(n int, err error) error {
	c.Sent += int64(n)
	if late := c.writing.settle(); late != nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return ErrTimeout
	}
	return err
}

// Gone reports, without reading and without waiting, whether the peer has ended
// its sending side, and whether the connection is broken: then the peer reads no
// more either.
func (c *Conn) Gone() (end, broken bool) { return c.transport.gone() }

// Say sends a few bytes without waiting, unless there is no room for them. ok is
// false if they left in part or the peer is gone; then the connection is good
// for nothing.
func (c *Conn) Say(text []byte) (ok bool) {
	_, ok = c.transport.say(text)
	return ok
}

// Foretell says one byte more of line, with which what is written next is sure to
// begin, and which that leaves out; at the end of line it says nothing. ok is as
// Say's.
func (c *Conn) Foretell(line []byte) (ok bool) {
	if c.foretold >= len(line) {
		return true
	}
	said, ok := c.transport.say(line[c.foretold : c.foretold+1])
	if said {
		c.foretold++
	}
	return ok
}
