package proxy

import (
	"crypto/tls"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/proxy/wire"
)

// parked counts the clients that are.
func (s *server) parked() (n int) {
	s.clock.Each(func(c *wire.Conn) {
		if clientOf(c) != nil && clientOf(c).space.Taken() {
			n++
		}
	})
	return n
}

func (s *server) awaitParked(n int) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("%d parked clients", n), func() bool { return s.parked() == n })
}

// plainAndTLS calls f with a server for routes and a dialer in plain text, and
// with one over TLS.
func plainAndTLS(t *testing.T, c Config, routes []protocol.Route, f func(t *testing.T, s *server, dial func() *peer)) {
	t.Run("plain", func(t *testing.T) {
		t.Parallel()
		s := serve(t, c, routes...)
		f(t, s, s.dial)
	})
	t.Run("TLS", func(t *testing.T) {
		t.Parallel()
		s, addr := serveTLS(t, c, routes...)
		f(t, s, func() *peer {
			p := dialPeer(t, "tcp", addr)
			p.Conn = tls.Client(p.Conn, careless)
			p.in.Reset(p.Conn)
			return p.send("") // the handshake
		})
	})
}

func TestQuietClientsAreParkedAndServed(t *testing.T) {
	t.Parallel()
	routes := []protocol.Route{route(start(t, "http", 0, say("ok")))}
	plainAndTLS(t, Config{idlePatience: time.Millisecond}, routes, func(t *testing.T, s *server, dial func() *peer) {
		p := dial()
		for range 3 {
			s.awaitParked(1)
			if r := p.get("/"); r.Body != "ok" {
				t.Errorf("got %+v", r)
			}
		}
		s.awaitParked(1)
		p.Close()
		eventually(t, "no connection", func() bool { return s.connections() == 0 })
	})
}

// Most clients make one request. One that makes another keeps its goroutine.
func TestClientsKeepTheirGoroutineOnceTheyReturn(t *testing.T) {
	t.Parallel()
	c := Config{Timeouts: quick, idlePatience: time.Hour}
	c.Timeouts.Idle = time.Hour
	plainAndTLS(t, c, []protocol.Route{route(start(t, "http", 0, say("ok")))}, func(t *testing.T, s *server, dial func() *peer) {
		p := dial()
		p.get("/")
		s.awaitParked(1)
		p.get("/")
		eventually(t, "a client that is not to be parked for long", func() bool {
			long := false
			s.clock.Each(func(c *wire.Conn) {
				k := clientOf(c)
				long = long || k != nil && k.resting.Load() && !k.space.Taken() && k.WaitsUntil() > s.clock.After(time.Hour/2)
			})
			return long
		})
	})
}

func TestHeadsInPartsAreGathered(t *testing.T) {
	t.Parallel()
	long := "X-Long: " + strings.Repeat("a", 3<<10) + "\r\n"
	for _, c := range []struct {
		name   string
		parts  []string
		status int
	}{
		{"by lines", []string{"GET / HTTP/1.1\r\n", "Host: a\r\n", "X: b\r\n", "\r\n"}, 200},
		{"end of lines apart", []string{"GET / HTTP/1.1\r\nHost: a\r", "\n\r", "\n"}, 200},
		{"with a body", []string{"POST / HTTP/1.1\r\nHost: a\r\nContent-Le", "ngth: 5\r\n\r\nhe", "llo"}, 200},
		{"over a buffer", []string{"GET / HTTP/1.1\r\nHost: a\r\n", long, long, long, "\r\n"}, 200},
		{"bare line feeds", []string{"GET / HTTP/1.1\r\nHost: a\r\nX: b", "\nY: c\n\n"}, 400},
		{"no name", []string{"GET / HTTP/1.1\r\nHost: a\r\n", ": b\r\n", "\r\n"}, 400},
		{"no request", []string{"GE", "T\x01 / HTTP/1.1\r\n\r\n"}, 400},
		{"too long", append([]string{"GET / HTTP/1.1\r\nHost: a\r\n"}, slices.Repeat([]string{long}, 22)...), 431},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			routes := []protocol.Route{route(start(t, "http", 0, say("ok")))}
			plainAndTLS(t, Config{}, routes, func(t *testing.T, s *server, dial func() *peer) {
				p := dial()
				for i, part := range c.parts {
					p.send(part)
					if (i == 0 || i < 3 && c.status != 400) && !strings.Contains(strings.Join(c.parts[:i+1], ""), "\n\r\n") && i < len(c.parts)-1 {
						s.awaitParked(1)
					}
				}
				if r := p.receive(strings.Fields(c.parts[0] + "T")[0]); r.Status != c.status {
					t.Errorf("got %+v, want status %d", r, c.status)
				}
			})
		})
	}
}

func TestParkedClientsMeetTheirTimeouts(t *testing.T) {
	t.Parallel()
	routes := []protocol.Route{route(start(t, "http", 0, say("no")))}
	t.Run("half a head", func(t *testing.T) {
		plainAndTLS(t, Config{}, routes, func(t *testing.T, s *server, dial func() *peer) {
			p := dial().send("GET / HTTP/1.1\r\nHost: ")
			s.awaitParked(1)
			s.pass(2 * patience)
			if r := p.receive("GET"); r.Status != 408 {
				t.Errorf("got %+v", r)
			}
		})
	})
	t.Run("idle", func(t *testing.T) {
		plainAndTLS(t, Config{}, routes, func(t *testing.T, s *server, dial func() *peer) {
			p := dial()
			s.awaitParked(1)
			s.pass(2 * patience)
			p.closed()
		})
	})
}

func TestParkedClientsLeaveAtTheEnd(t *testing.T) {
	t.Parallel()
	routes := []protocol.Route{route(start(t, "http", 0, say("ok")))}
	plainAndTLS(t, Config{}, routes, func(t *testing.T, s *server, dial func() *peer) {
		idle, half := dial(), dial().send("GET / HTTP/1.1\r\n")
		s.awaitParked(2)
		s.cancel()
		idle.closed()
		if r := half.send("Host: a\r\n\r\n").receive("GET"); r.Body != "ok" || !r.Close {
			t.Errorf("a head in parts during the drain: got %+v", r)
		}
		within(t, s.stopped, "the end")
	})
}

// Slow heads are the cheapest of attacks: what a client costs is its
// connection and what it sent.
func TestSlowClientsHoldNoGoroutines(t *testing.T) {
	s := serve(t, Config{}, route(start(t, "http", 0, say("ok"))))
	before := runtime.NumGoroutine()
	const many = 500
	for range many {
		s.dial().send("GET / HTTP/1.1\r\nHost: a\r\nX: ")
	}
	s.awaitParked(many)
	if n := runtime.NumGoroutine() - before; n > many/10 {
		t.Errorf("%d goroutines more for %d slow clients", n, many)
	}
	if r := s.dial().get("/"); r.Body != "ok" {
		t.Errorf("another client: got %+v", r)
	}
}
