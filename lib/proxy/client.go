package proxy

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"passenger/lib/bug"
	"passenger/lib/proxy/accesslog"
	"passenger/lib/proxy/buffering"
	"passenger/lib/proxy/forwarded"
	"passenger/lib/proxy/fronted"
	"passenger/lib/proxy/greeting"
	"passenger/lib/proxy/park"
	"passenger/lib/proxy/wire"
)

const (
	// lingerTime bounds how long we read on after the last answer: a client
	// that still sends would lose it to the reset that closing causes.
	lingerTime = 5 * time.Second

	// partingTime is how long a connection that is idle when a drain begins
	// stays open: a request may be on its way.
	partingTime = 500 * time.Millisecond
)

// A client is one client's connection. Its goroutine carries each request
// from head to answer.
type client struct {
	wire.Conn
	proxy    *Proxy
	addr     string // without port; empty for a unix socket
	port     string
	trusted  bool                // may say who it asks for
	stranger *forwarded.Stranger // who it is, of one over a unix socket that may not
	secure   bool                // came over TLS
	tls      *accesslog.TLS      // that, for the access log; nil if there is none
	claimed  bool                // may not, and said that its client came over TLS
	http2    bool                // is a stream of HTTP/2

	headers *fronted.Headers // those of its present request; nil if it may send none

	disk    *buffering.Share // of its connection, for bodies: ownDisk unless it is a stream
	ownDisk buffering.Share

	resting  atomic.Bool // between requests
	returned bool        // has made a request and waited for another one

	// waitBy is when the wait for a request's first byte, or that for the end
	// of its head, is over, in the clock's time; 0 between them.
	waitBy int64

	// head is what it sent of a head before it was parked, else nil. watch is
	// what the kernel watches meanwhile: a reader that waits for a byte of it has
	// nothing to read in the layers above; nil if the client cannot be parked.
	// space is where it is parked. wake, if set, goes on in place of run then.
	head  []byte
	watch syscall.RawConn
	space park.Space
	wake  func()

	mu sync.Mutex // guards x
	x  *exchange  // the request in flight, for the control socket; else nil
}

// clientOf is the client whose connection c is, nil for a process's.
func clientOf(c *wire.Conn) *client {
	k, _ := c.Waker.(*client)
	return k
}

func newClient(p *Proxy, nc net.Conn) (*client, error) {
	c := &client{proxy: p}
	c.identify(nc)
	err := c.Open(nc, p.clock)
	if err == nil {
		c.watch = c.Socket().Raw()
	}
	return c, err
}

// identify says whose connection c, which is new, is. Over a unix socket a web
// server of ours may speak for clients; other users have no address.
// Without an IP it is a client that one does not know.
func (c *client) identify(nc net.Conn) {
	c.Waker, c.disk = c, &c.ownDisk
	c.ownDisk.Most = c.proxy.Disk.Connection
	c.ReadWait, c.WriteWait = c.proxy.Timeouts.Idle, c.proxy.Timeouts.Write
	from := origin(nc)
	if from == nil {
		c.stranger = c.proxy.TrustedPeers.StrangerOf(nc)
		c.trusted = c.stranger == nil
		return
	}
	ip, ok := netip.AddrFromSlice(from.IP)
	if !ok {
		return
	}
	ip = ip.Unmap()
	c.addr, c.port = ip.String(), strconv.Itoa(from.Port)
	c.trusted = c.proxy.trusts(ip)
}

// serve answers requests until the connection ends, which it closes; or is quiet
// for so long that it should be parked; or becomes the tunnel of an exchange, which
// carry is to take up.
func (c *client) serve() (quiet bool, tunnel *exchange) {
	var x *exchange
	defer func() {
		if !quiet && tunnel == nil {
			c.leave(x)
		}
	}()
	defer bug.Caught(nil)
	for again := true; again; {
		if x == nil {
			b, n, err := c.await()
			if err != nil {
				return errors.Is(err, errQuiet), nil
			}
			if c.proxy.HTTP2Plain && c.headers == nil && !c.secure && !c.http2 && greeting.IsPreface(b.B[:n]) {
				c.Clock.Remove(&c.Conn)
				c.proxy.serveHTTP2(greeting.Replay(c.Net, bytes.Clone(b.B[:n])), false)
				b.Free()
				return false, nil
			}
			if c.proxy.HTTP2Plain && c.Sent == 0 && greeting.IsForeign(b.B[:n]) {
				b.Free()
				return false, nil
			}
			x = takeExchange(c, b, n)
		}
		if err := x.req.readHead(); errors.Is(err, errQuiet) {
			c.head = bytes.Clone(x.req.in.B[:x.req.end])
			x.free()
			x = nil
			return true, nil
		} else if err != nil {
			again = x.refuse(err)
		} else {
			again = x.run()
		}
		if x.passes.Tunnel != nil {
			return false, x
		}
		x.end()
		c.publish(nil)
		if !x.next() {
			x.free()
			x = nil
		}
	}
	if x != nil {
		x.free()
		x = nil
	}
	return false, nil
}

// carry carries the tunnel of x to its end. It is for a goroutine of its own: it
// may last for days, and the stack of one that served requests stays large.
func (c *client) carry(x *exchange) {
	defer func() { c.leave(x) }()
	defer bug.Caught(nil)
	x.pass()
	x.end()
	c.publish(nil)
	x.free()
	x = nil
}

// leave closes the connection. x is what a bug of ours broke, else nil.
func (c *client) leave(x *exchange) {
	c.Close()
	if x != nil {
		c.publish(nil)
		x.abandon()
	}
}

// errQuiet says that a client should be parked.
var errQuiet = errors.New("the client is quiet")

// await waits for the next request's first bytes.
func (c *client) await() (*wire.Buffer, int, error) {
	if head := c.head; head != nil {
		c.head = nil
		b := wire.TakeBuffer(len(head))
		return b, copy(b.B, head), nil
	}
	c.resting.Store(true)
	patience := newPatience
	if c.waitBy == 0 {
		c.waitBy = c.Clock.After(c.proxy.Timeouts.Idle)
		if c.returned {
			patience = c.proxy.idlePatience
		}
		c.returned = c.Sent > 0
	}
	if c.proxy.draining.Load() {
		c.waitBy = min(c.waitBy, c.Clock.After(partingTime))
	}
	until := c.waitBy
	if c.mayPark() {
		until = min(until, c.Clock.After(patience))
	}
	c.ReadWait = time.Duration(until - c.Clock.After(0))
	b, n, err := c.ReadLazily(wire.Small)
	if err != nil {
		if until < c.waitBy && errors.Is(err, wire.ErrTimeout) && !c.Clock.Ending.Load() {
			c.Rearm()
			err = errQuiet
		}
		return nil, 0, err
	}
	c.resting.Store(false)
	c.waitBy = 0
	return b, n, nil
}

// part shortens the wait of a client between requests: the proxy drains.
func (c *client) part(by int64) {
	if c.resting.Load() {
		c.Hasten(by)
	}
}

// publish lets the control socket see which request is in flight.
func (c *client) publish(x *exchange) {
	c.mu.Lock()
	c.x = x
	c.mu.Unlock()
}

// fit has q, which may be published and goes on for long, hold what it has in a
// buffer that fits.
func (c *client) fit(q *request, fitted func(*wire.Buffer, int) *wire.Buffer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q.in = fitted(q.in, q.end)
	if err := q.Rebase(q.in.B); err != nil {
		panic(err) // it was parsed before
	}
}

// linger ends the sending side and reads until the client has seen it, so
// that what was sent last arrives.
func (c *client) linger() {
	c.CloseWrite()
	if c.Clock.Ending.Load() {
		return
	}
	c.Rearm() // a reader may have been interrupted
	c.HoldRead(lingerTime)
	b := wire.TakeBuffer(wire.Medium)
	defer b.Free()
	for {
		if _, err := c.Read(b.B); err != nil {
			return
		}
	}
}
