package proxy

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

var errTimeout = errors.New("timed out")

// past is a deadline that ends a wait at once.
var past = time.Unix(1, 0)

// A conn is a connection to a client or a process. One goroutine at a time may
// read and one may write. Reading and writing are tried with raw system calls
// first and wait in the runtime's poller only if they would block.
type conn struct {
	nc    net.Conn
	raw   syscall.RawConn // nil for a stream
	clock *clock

	next, prev *conn   // in the clock's list
	client     *client // whose connection it is, nil for a process's

	// When the present wait ends, in the clock's time; 0 while there is none,
	// expired once it has ended. After that the connection is only good for
	// closing, or for an answer if it was a read, or for rearm.
	readBy, writeBy atomic.Int64
	expiry          sync.Mutex // makes expired and the runtime's deadline one

	// How long a read or write may wait. hold keeps readBy over reads. A read
	// that is impatient does not wait but fails with EAGAIN, and so does a write
	// that is casual.
	readWait, writeWait     time.Duration
	hold, impatient, casual bool

	in, out  transfer
	sent     int64              // bytes written
	readFn   func(uintptr) bool // c.tryRead, made once
	writeFn  func(uintptr) bool
	lazyRead int // the size of buffer to take when there is something to read
	lazy     *buffer
}

// A transfer is one read or write under way.
type transfer struct {
	p, p2 []byte
	n     int
	errno syscall.Errno
	iov   [2]syscall.Iovec
}

const expired = -1

// open makes c, which is new, the connection nc and puts it in the clock's
// care. If it fails nc is closed.
func (c *conn) open(nc net.Conn, k *clock) error {
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
	c.nc, c.raw, c.clock = nc, raw, k
	c.readFn, c.writeFn = c.tryRead, c.tryWrite
	k.add(c)
	return nil
}

// close closes the connection. It may be called from any goroutine, and more
// than once.
func (c *conn) close() {
	c.clock.remove(c)
	_ = c.nc.Close() // there is nothing left to lose
}

// reset closes the connection so that the peer sees an error and no end.
func (c *conn) reset() {
	if e, ok := c.nc.(interface{ Break() }); ok {
		e.Break()
	}
	below := transport(c.nc)
	if t, ok := below.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // it may be closed already
	}
	if below != c.nc {
		_ = below.Close() // before TLS could say that all is well
	}
	c.close()
}

// interrupt ends the waits of other goroutines on c.
func (c *conn) interrupt() { _ = c.nc.SetDeadline(past) } // closed is as good

// expire ends waits that last too long.
func (c *conn) expire(now int64) {
	if v := c.readBy.Load(); v > 0 && v <= now && !(c.client != nil && c.client.wake()) {
		c.expiry.Lock()
		if c.readBy.CompareAndSwap(v, expired) {
			_ = c.nc.SetReadDeadline(past) // a closed one waits no more
		}
		c.expiry.Unlock()
	}
	if v := c.writeBy.Load(); v > 0 && v <= now {
		if c.raw == nil && c.streamMoved() {
			c.writeBy.CompareAndSwap(v, c.clock.after(c.writeWait)) // unless that write is over
			return
		}
		c.expiry.Lock()
		if c.writeBy.CompareAndSwap(v, expired) {
			_ = c.nc.SetWriteDeadline(past)
		}
		c.expiry.Unlock()
	}
}

// holdRead bounds all reads until releaseRead together.
func (c *conn) holdRead(wait time.Duration) {
	c.holdReadUntil(c.clock.after(wait))
}

func (c *conn) holdReadUntil(by int64) {
	c.hold = true
	c.readBy.Store(by)
}

func (c *conn) releaseRead() error {
	c.hold = false
	return settle(&c.readBy)
}

// postpone has a wait that is held end at by, unless it has ended. It may be
// called from any goroutine.
func (c *conn) postpone(by int64) {
	for v := c.readBy.Load(); v != expired && !c.readBy.CompareAndSwap(v, by); {
		v = c.readBy.Load()
	}
}

// rearm makes c good for reading again after a wait that expired.
func (c *conn) rearm() {
	c.expiry.Lock()
	defer c.expiry.Unlock()
	c.readBy.Store(0)
	if !c.clock.ending.Load() {
		_ = c.nc.SetReadDeadline(time.Time{}) // a closed one fails when it is read
	}
}

// settle ends a wait, and says if it had already ended by itself.
func settle(by *atomic.Int64) error {
	if v := by.Load(); v != 0 && (v == expired || !by.CompareAndSwap(v, 0)) {
		// Only expire changes it behind our back, or postpone.
		if by.Load() == expired {
			return errTimeout
		}
		by.Store(0)
	}
	return nil
}

// read reads once. At the end it returns io.EOF.
func (c *conn) read(p []byte) (int, error) {
	c.in.p, c.lazyRead = p, 0
	return c.finishRead()
}

// readLazily reads once, into a buffer that it takes only when there is
// something to read. Without an error the caller frees the buffer.
func (c *conn) readLazily(size int) (*buffer, int, error) {
	c.lazyRead = size
	n, err := c.finishRead()
	b := c.lazy
	c.lazy = nil
	if err != nil && b != nil {
		b.free()
		b = nil
	}
	return b, n, err
}

// fill reads once into c.in.
func (c *conn) fill() error {
	if c.raw == nil {
		return c.readStream()
	}
	return c.raw.Read(c.readFn)
}

func (c *conn) finishRead() (int, error) {
	err := c.fill()
	t := &c.in
	t.p = nil
	if !c.hold {
		switch late := settle(&c.readBy); {
		case late == nil:
		case err != nil:
			return 0, late
		default:
			c.rearm() // it came in the last moment
		}
	}
	switch {
	case err != nil:
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return 0, errTimeout
		}
		return 0, err
	case t.errno != 0:
		return 0, t.errno
	case t.n == 0:
		return 0, io.EOF
	}
	return t.n, nil
}

func (c *conn) tryRead(fd uintptr) bool {
	t := &c.in
	p := t.p
	if c.lazyRead > 0 {
		if c.lazy == nil {
			c.lazy = takeBuffer(c.lazyRead)
		}
		p = c.lazy.b
	}
	t.n, t.errno = receive(fd, p, 0)
	if t.errno != syscall.EAGAIN || c.impatient {
		return true
	}
	if c.lazy != nil {
		c.lazy.free()
		c.lazy = nil
	}
	if c.readBy.Load() == 0 {
		c.readBy.Store(c.clock.after(c.readWait))
	}
	return false
}

// write writes all of p and then all of p2, which may be empty.
func (c *conn) write(p, p2 []byte) (n int, err error) {
	t := &c.out
	t.p, t.p2, t.n = p, p2, 0
	if c.raw == nil {
		err = c.writeStream()
	} else {
		err = c.raw.Write(c.writeFn)
	}
	t.p, t.p2 = nil, nil
	c.sent += int64(t.n)
	late := settle(&c.writeBy)
	switch {
	case late != nil, errors.Is(err, os.ErrDeadlineExceeded):
		return t.n, errTimeout
	case err != nil:
		return t.n, err
	case t.errno != 0:
		return t.n, t.errno
	}
	return t.n, nil
}

func (c *conn) tryWrite(fd uintptr) bool {
	t := &c.out
	for len(t.p) > 0 || len(t.p2) > 0 {
		n, errno := t.send(fd)
		if errno == syscall.EAGAIN && !c.casual {
			if c.writeBy.Load() == 0 {
				c.writeBy.Store(c.clock.after(c.writeWait))
			}
			return false
		}
		if t.errno = errno; errno != 0 {
			return true
		}
		if c.writeBy.Load() > 0 {
			// It moves: the wait starts anew.
			c.writeBy.Store(c.clock.after(c.writeWait))
		}
		t.n += n
		m := min(n, len(t.p))
		t.p, t.p2 = t.p[m:], t.p2[n-m:]
	}
	t.errno = 0
	return true
}

// gone reports whether the peer has closed the connection or its sending
// side, without reading and without waiting.
func (c *conn) gone() (end, broken bool) {
	if c.raw == nil {
		return c.streamGone()
	}
	err := c.raw.Control(func(fd uintptr) {
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

// closeWrite ends the sending side.
func (c *conn) closeWrite() {
	if h, ok := c.nc.(interface{ CloseWrite() error }); ok {
		_ = h.CloseWrite() // the peer may be gone; reading tells
	}
}
