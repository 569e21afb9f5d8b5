package http2

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	h2 "golang.org/x/net/http2"
)

// A Conn is a client's connection. Make it with NewConn and run Serve.
type Conn struct {
	config *Config
	nc     net.Conn
	staff  *crew     // serves the streams
	heads  heads     // Serve's
	first  [9]byte   // Serve's: where it waits, without a buffer
	headBy time.Time // Serve's: when the head that is coming must be whole; else zero

	mu       sync.Mutex // guards the rest, and the streams
	output   output
	streams  map[uint32]*Stream
	last     uint32 // the newest stream's number
	open     int    // streams that neither side has ended
	served   int    // streams whose Serve runs
	idle     time.Time
	window   int64 // what we may send
	initial  int64 // the same for a new stream
	received inflow
	resized  bool // the client's table of fields; the next block says that ours is
	cut      recent
	patience patience
	tiny     pace
	drain    drain
	ending   error // why Serve shall return; nil for now

	work sync.WaitGroup // all goroutines but Serve's
}

// NewConn returns a connection that is not served yet.
func NewConn(nc net.Conn, config *Config) *Conn {
	c := &Conn{config: config, nc: nc, staff: &staff, window: 65535, initial: 65535, idle: time.Now()}
	c.received = inflow{size: connWindow, most: connWindow, left: connWindow}
	c.patience = newPatience()
	c.output.moved.L = &c.mu
	return c
}

// errDone ends a connection that nothing is wrong with.
var errDone = h2.ConnectionError(h2.ErrCodeNo)

// Serve serves the connection until it ends, which it closes.
func (c *Conn) Serve() {
	c.finish(c.serve())
}

func (c *Conn) serve() error {
	c.headBy = time.Now().Add(c.config.Header)
	if err := c.overdue(); err != nil {
		return err
	}
	c.greet()
	if err := c.readPreface(); err != nil {
		return err
	}
	for first := true; ; first = false {
		if err := c.readFrames(first); err != nil {
			return err
		}
	}
}

// greet queues what a server says first.
func (c *Conn) greet() {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.output.begin()
	*b = appendSettings(*b,
		h2.Setting{ID: h2.SettingMaxConcurrentStreams, Val: MaxStreams},
		h2.Setting{ID: h2.SettingInitialWindowSize, Val: streamWindow},
		h2.Setting{ID: h2.SettingMaxHeaderListSize, Val: maxHead},
		h2.Setting{ID: h2.SettingEnableConnectProtocol, Val: 1})
	*b = appendWindowUpdate(*b, 0, connWindow-65535)
	c.kick()
}

func (c *Conn) readPreface() error {
	var text [len(h2.ClientPreface)]byte
	for n := 0; n < len(text); {
		m, err := c.read(text[n:])
		if err != nil {
			return err
		}
		n += m
		if string(text[:n]) != h2.ClientPreface[:n] {
			return h2.ConnectionError(h2.ErrCodeProtocol)
		}
	}
	return nil
}

// read waits for bytes as long as the connection is not overdue.
func (c *Conn) read(p []byte) (int, error) {
	for {
		n, err := c.nc.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		if err := c.overdue(); err != nil {
			return 0, err
		}
	}
}

// overdue says why no more is read, if so. Else it sets when to look again. A
// deadline set for each request would cost more than looking in vain.
func (c *Conn) overdue() error {
	now := time.Now()
	next := now.Add(min(c.config.Header, c.config.Idle))
	if !c.headBy.IsZero() {
		if !now.Before(c.headBy) {
			return errDone
		}
		next = earlier(next, c.headBy)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending != nil {
		return c.ending
	}
	if c.served == 0 {
		by := c.idle.Add(c.config.Idle)
		if !now.Before(by) {
			return errDone
		}
		next = earlier(next, by)
	}
	return c.nc.SetReadDeadline(next)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// end makes Serve return. mu is held.
func (c *Conn) end(err error) {
	if c.ending == nil {
		c.ending = err
		_ = c.nc.SetReadDeadline(time.Unix(1, 0)) // a closed one wakes by itself
	}
}

// Close ends the connection at once, and with it all streams.
func (c *Conn) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end(net.ErrClosed)
}

// finish ends the connection because of err: the client is told, if there is
// something to tell, and all streams break off.
func (c *Conn) finish(err error) {
	var code h2.ConnectionError
	tell := errors.As(err, &code)
	c.mu.Lock()
	if c.ending == nil {
		c.ending = err
	}
	for _, s := range c.streams {
		s.fail(errGone)
	}
	if tell {
		c.sayGoAway(c.drain.lastServed(c.last), h2.ErrCode(code))
		_ = c.nc.SetReadDeadline(time.Now().Add(lingerTime))
		c.flushLast()
	}
	if c.output.failed == nil {
		c.output.failed = err // nothing follows
	}
	c.mu.Unlock()
	if tell {
		c.linger()
	}
	c.nc.Close()
	c.work.Wait()
}

// linger ends the sending side and reads until the client has seen it.
func (c *Conn) linger() {
	if h, ok := c.nc.(interface{ CloseWrite() error }); ok {
		_ = h.CloseWrite() // the client may be gone; reading tells
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(c.nc, 64<<20))
}

// left notes that a stream is served no more. mu is held.
func (c *Conn) left() {
	if c.served--; c.served > 0 {
		return
	}
	c.idle = time.Now()
	if c.drain.last {
		c.end(errDone)
	}
}
