package proxy

import (
	"net"
	"slices"
	"sync"
	"time"

	"passenger/lib/bug"
	"passenger/lib/http2"
)

// A stream of HTTP/2 becomes an exchange like any other: lib/http2 makes it a
// connection that brings one HTTP/1.1 request and takes the answer. So there is
// one way to parse, route, queue and refuse.

// An http2Server knows the connections that speak HTTP/2, to end them.
type http2Server struct {
	mu      sync.Mutex // guards all
	conns   map[*http2.Conn]bool
	parting bool // no more streams
}

func newHTTP2Server() *http2Server { return &http2Server{conns: map[*http2.Conn]bool{}} }

// serveHTTP2 serves nc until it ends.
func (p *Proxy) serveHTTP2(nc net.Conn, secure bool) {
	who := &client{proxy: p, secure: secure, tls: p.tlsLogged(nc)}
	who.identify(nc)
	var c *http2.Conn
	c = http2.NewConn(nc, &http2.Config{
		Header: p.Timeouts.Header, Idle: p.Timeouts.Idle, Write: p.Timeouts.Write,
		Serve: func(s *http2.Stream) {
			if p.leaving.Load() {
				c.Shutdown() // it came late, and has a stream to serve now
			}
			p.serveStream(s, who)
		},
	})
	p.http2.add(c)
	p.crowd.Join() // no handshake's memory is needed any more
	defer p.http2.remove(c)
	defer bug.Caught(func() { nc.Close() })
	c.Serve()
}

// serveStream serves a stream of a connection that is who's.
func (p *Proxy) serveStream(s *http2.Stream, who *client) {
	c := &client{proxy: p, addr: who.addr, port: who.port, trusted: who.trusted, stranger: who.stranger, secure: who.secure, tls: who.tls, http2: true}
	c.disk = who.disk
	c.Waker, c.ReadWait, c.WriteWait = c, who.ReadWait, who.WriteWait
	c.OpenStream(s, p.clock)
	if _, tunnel := c.serve(); tunnel != nil { // a stream is never parked
		c.carry(tunnel)
	}
}

func (s *http2Server) add(c *http2.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c] = true
	if s.parting {
		c.Shutdown()
	}
}

func (s *http2Server) remove(c *http2.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

func (s *http2Server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// shed asks the clients that have been idle for longest, most of them at once, to
// open no more streams.
func (s *http2Server) shed(most int) {
	type idler struct {
		conn  *http2.Conn
		since time.Time
	}
	var idle []idler
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if since, ok := c.Idle(); ok {
			idle = append(idle, idler{c, since})
		}
	}
	slices.SortFunc(idle, func(a, b idler) int { return a.since.Compare(b.since) })
	for _, i := range idle[:min(most, len(idle))] {
		i.conn.Shutdown()
	}
}

// shutdown asks the clients to open no more streams; parting asks those that
// connect from now on, too, before they have opened one.
func (s *http2Server) shutdown(parting bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parting = parting
	for c := range s.conns {
		c.Shutdown()
	}
}

// cutOff closes the connections.
func (s *http2Server) cutOff() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.Close()
	}
}
