// Package wire holds connections whose waiting costs nothing: to read or write
// is one system call when there is something to do, a wait sets no timer, and an
// idle connection has no buffer. One Clock bounds the waits of all.
package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrTimeout says that a wait lasted too long.
var ErrTimeout = errors.New("timed out")

// past is a deadline that ends a wait at once.
var past = time.Unix(1, 0)

// A Conn is a connection to a client or a process. One goroutine at a time may
// read and one may write. Reading and writing are tried with raw system calls
// first and wait in the runtime's poller only if they would block.
type Conn struct {
	Net   net.Conn
	Raw   syscall.RawConn // nil for a stream
	Clock *Clock

	next, prev *Conn // in the clock's list
	Waker      Waker // whose connection it is; nil if there is nobody to wake

	// When the present wait ends, in the clock's time; 0 while there is none,
	// expired once it has ended. After that the connection is only good for
	// closing, or for an answer if it was a read, or for Rearm.
	readBy, writeBy atomic.Int64
	expiry          sync.Mutex // makes expired and the runtime's deadline one

	// How long a read or write may wait. hold keeps readBy over reads. A read
	// that is Impatient does not wait but fails with EAGAIN, and so does a write
	// that is Casual.
	ReadWait, WriteWait     time.Duration
	hold, Impatient, Casual bool

	in, out  transfer
	Sent     int64              // bytes written
	readFn   func(uintptr) bool // c.tryRead, made once
	writeFn  func(uintptr) bool
	lazyRead int // the size of buffer to take when there is something to read
	lazy     *Buffer
}

// A transfer is one read or write under way.
type transfer struct {
	p, p2 []byte
	n     int
	errno syscall.Errno
	iov   [2]syscall.Iovec
}

const expired = -1

// A Waker is woken when a wait of its connection ends that it is not waiting in,
// and says whether it was asleep.
type Waker interface{ Wake() bool }

// IsStream says that c is no descriptor of its own.
func (c *Conn) IsStream() bool { return c.Raw == nil }

// Open makes c, which is new, the connection nc and puts it in the clock's
// care. If it fails nc is closed.
func (c *Conn) Open(nc net.Conn, k *Clock) error {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		nc.Close()
		return errors.New("internal error: a connection without a descriptor")
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		nc.Close()
		return err
	}
	c.Net, c.Raw, c.Clock = nc, raw, k
	c.readFn, c.writeFn = c.tryRead, c.tryWrite
	k.add(c)
	return nil
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

// Interrupt ends the waits of other goroutines on c.
func (c *Conn) Interrupt() { _ = c.Net.SetDeadline(past) } // closed is as good

// expire ends waits that last too long.
func (c *Conn) expire(now int64) {
	if v := c.readBy.Load(); v > 0 && v <= now && !(c.Waker != nil && c.Waker.Wake()) {
		c.expiry.Lock()
		if c.readBy.CompareAndSwap(v, expired) {
			_ = c.Net.SetReadDeadline(past) // a closed one waits no more
		}
		c.expiry.Unlock()
	}
	if v := c.writeBy.Load(); v > 0 && v <= now {
		if c.Raw == nil && c.streamMoved() {
			c.writeBy.CompareAndSwap(v, c.Clock.After(c.WriteWait)) // unless that write is over
			return
		}
		c.expiry.Lock()
		if c.writeBy.CompareAndSwap(v, expired) {
			_ = c.Net.SetWriteDeadline(past)
		}
		c.expiry.Unlock()
	}
}

// HoldRead bounds all reads until ReleaseRead together.
func (c *Conn) HoldRead(wait time.Duration) {
	c.HoldReadUntil(c.Clock.After(wait))
}

func (c *Conn) HoldReadUntil(by int64) {
	c.hold = true
	c.readBy.Store(by)
}

func (c *Conn) ReleaseRead() error {
	c.hold = false
	return settle(&c.readBy)
}

// Postpone has a wait that is held end at by, unless it has ended. It may be
// called from any goroutine.
func (c *Conn) Postpone(by int64) {
	for v := c.readBy.Load(); v != expired && !c.readBy.CompareAndSwap(v, by); {
		v = c.readBy.Load()
	}
}

// Rearm makes c good for reading again after a wait that expired.
func (c *Conn) Rearm() {
	c.expiry.Lock()
	defer c.expiry.Unlock()
	c.readBy.Store(0)
	if !c.Clock.Ending.Load() {
		_ = c.Net.SetReadDeadline(time.Time{}) // a closed one fails when it is read
	}
}

// settle ends a wait, and says if it had already ended by itself.
func settle(by *atomic.Int64) error {
	if v := by.Load(); v != 0 && (v == expired || !by.CompareAndSwap(v, 0)) {
		// Only expire changes it behind our back, or Postpone.
		if by.Load() == expired {
			return ErrTimeout
		}
		by.Store(0)
	}
	return nil
}

// Read reads once. At the end it returns io.EOF.
func (c *Conn) Read(p []byte) (int, error) {
	c.in.p, c.lazyRead = p, 0
	return c.finishRead()
}

// ReadLazily reads once, into a buffer that it takes only when there is
// something to read. Without an error the caller frees the buffer.
func (c *Conn) ReadLazily(size int) (*Buffer, int, error) {
	c.lazyRead = size
	n, err := c.finishRead()
	b := c.lazy
	c.lazy = nil
	if err != nil && b != nil {
		b.Free()
		b = nil
	}
	return b, n, err
}

// fill reads once into c.in.
func (c *Conn) fill() error {
	if c.Raw == nil {
		return c.readStream()
	}
	return c.Raw.Read(c.readFn)
}

func (c *Conn) finishRead() (int, error) {
	err := c.fill()
	t := &c.in
	t.p = nil
	if !c.hold {
		switch late := settle(&c.readBy); {
		case late == nil:
		case err != nil:
			return 0, late
		default:
			c.Rearm() // it came in the last moment
		}
	}
	switch {
	case err != nil:
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return 0, ErrTimeout
		}
		return 0, err
	case t.errno != 0:
		return 0, t.errno
	case t.n == 0:
		return 0, io.EOF
	}
	return t.n, nil
}

func (c *Conn) tryRead(fd uintptr) bool {
	t := &c.in
	p := t.p
	if c.lazyRead > 0 {
		if c.lazy == nil {
			c.lazy = TakeBuffer(c.lazyRead)
		}
		p = c.lazy.B
	}
	t.n, t.errno = receive(fd, p, 0)
	if t.errno != syscall.EAGAIN || c.Impatient {
		return true
	}
	if c.lazy != nil {
		c.lazy.Free()
		c.lazy = nil
	}
	if c.readBy.Load() == 0 {
		c.readBy.Store(c.Clock.After(c.ReadWait))
	}
	return false
}

// WriteBoth writes all of p and then all of p2, which may be empty.
func (c *Conn) WriteBoth(p, p2 []byte) (n int, err error) {
	t := &c.out
	t.p, t.p2, t.n = p, p2, 0
	if c.Raw == nil {
		err = c.writeStream()
	} else {
		err = c.Raw.Write(c.writeFn)
	}
	t.p, t.p2 = nil, nil
	c.Sent += int64(t.n)
	late := settle(&c.writeBy)
	switch {
	case late != nil, errors.Is(err, os.ErrDeadlineExceeded):
		return t.n, ErrTimeout
	case err != nil:
		return t.n, err
	case t.errno != 0:
		return t.n, t.errno
	}
	return t.n, nil
}

func (c *Conn) tryWrite(fd uintptr) bool {
	t := &c.out
	for len(t.p) > 0 || len(t.p2) > 0 {
		n, errno := t.send(fd)
		if errno == syscall.EAGAIN && !c.Casual {
			if c.writeBy.Load() == 0 {
				c.writeBy.Store(c.Clock.After(c.WriteWait))
			}
			return false
		}
		if t.errno = errno; errno != 0 {
			return true
		}
		if c.writeBy.Load() > 0 {
			// It moves: the wait starts anew.
			c.writeBy.Store(c.Clock.After(c.WriteWait))
		}
		t.n += n
		m := min(n, len(t.p))
		t.p, t.p2 = t.p[m:], t.p2[n-m:]
	}
	t.errno = 0
	return true
}

// Gone reports whether the peer has closed the connection or its sending
// side, without reading and without waiting.
func (c *Conn) Gone() (end, broken bool) {
	if c.Raw == nil {
		return c.streamGone()
	}
	err := c.Raw.Control(func(fd uintptr) {
		var one [1]byte
		n, errno := receive(fd, one[:], syscall.MSG_PEEK)
		end = errno == 0 && n == 0
		broken = errno != 0 && errno != syscall.EAGAIN || end && broke(fd)
	})
	return end, broken || err != nil
}

// broke reports whether a connection whose peer had ended its sending side was
// then reset. Reading goes on to say that it ended.
func broke(fd uintptr) bool {
	p := []unix.PollFd{{Fd: int32(fd)}}
	_, _ = unix.Poll(p, 0) // interrupted is as good as not
	return p[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
}

// CloseWrite ends the sending side.
func (c *Conn) CloseWrite() {
	if h, ok := c.Net.(interface{ CloseWrite() error }); ok {
		_ = h.CloseWrite() // the peer may be gone; reading tells
	}
}

// ReadNow reads what is there without waiting, and returns how much that was. c
// is no stream.
func (c *Conn) ReadNow(p []byte) (n int) {
	_ = c.Raw.Control(func(fd uintptr) { n, _ = receive(fd, p, 0) }) // a later read fails as well
	return n
}
