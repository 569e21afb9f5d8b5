package proxy

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"passenger/lib/protocol"
)

const takeoverHead = "HTTP/1.1 199 Hijacked\r\n\r\n"

// asked answers the question whether the process is free, once pass lets it,
// and says that it was one.
func asked(c *call, pass <-chan bool) bool {
	if c.Vars[protocol.VariableWork] != protocol.WorkNone {
		return false
	}
	select {
	case <-pass:
		c.ok("")
	case <-c.Upstream.killed:
	}
	return true
}

// spied keeps a connection that was taken over, and tells what comes on it
// until its end.
func spied(c *call, heard chan<- string) bool {
	b, _ := io.ReadAll(c.In) // a reset is an end
	heard <- string(b)
	return false
}

// An app that took its connection over and keeps it does not get the next
// request on it, whatever it answered.
func TestAConnectionThatWasTakenOverIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"length":        takeoverHead + "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello",
		"chunks":        takeoverHead + "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"after a hint":  "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + takeoverHead + "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"before a hint": takeoverHead + "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"partial":       "HTTP/1.1 200 OK\r\nX-Passenger-Hijack: partial\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			both(t, func(t *testing.T, proto string) {
				heard := make(chan string, 1)
				open := make(chan bool)
				close(open)
				f := start(t, proto, 1, func(c *call) bool {
					switch {
					case asked(c, open):
					case c.Target == "/take":
						io.WriteString(c.Conn, text)
						return spied(c, heard)
					default:
						c.ok(c.header("Cookie"))
					}
					return true
				})
				s := serve(t, Config{}, route(f))
				p := s.dial().send("GET /take HTTP/1.1\r\nHost: a\r\n\r\n")
				r := p.receive("GET")
				if r.Status == 103 {
					r = p.receive("GET")
				}
				if r.Status != 200 || r.Body != "hello" || r.Err != nil || r.Header.Get("X-Passenger-Hijack") != "" {
					t.Errorf("got %+v", r)
				}
				for range 3 {
					if r := p.send("GET / HTTP/1.1\r\nHost: a\r\nCookie: secret=1\r\n\r\n").receive("GET"); r.Body != "secret=1" {
						t.Fatalf("got %+v", r)
					}
				}
				if got := within(t, heard, "the end of the connection"); got != "" {
					t.Errorf("the app that kept its connection heard %q", got)
				}
			})
		})
	}
}

// What an app writes without a length is passed on as it comes, and so is what
// the client sends, over each protocol that can.
func TestConnectionsThatWereTakenOverAreTunnels(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		answer := func(c *call) bool {
			io.WriteString(c.Conn, takeoverHead+"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
			io.Copy(c.Conn, c.In)
			return false
		}
		s, secure := serveTLS(t, Config{}, route(start(t, proto, 0, answer)))
		p := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\nping ")
		r, err := http.ReadResponse(p.in, nil)
		if err != nil || r.StatusCode != 200 || !r.Close {
			t.Fatalf("got %v, %v", r, err)
		}
		b := make([]byte, 5)
		for range 3 {
			if _, err := io.ReadFull(r.Body, b); err != nil || string(b) != "ping " {
				t.Fatalf("got %q, %v", b, err)
			}
			p.send("ping ")
		}
		p.Conn.(*net.TCPConn).CloseWrite()
		if rest, err := io.ReadAll(r.Body); string(rest) != "ping " || err != nil {
			t.Errorf("got %q, %v", rest, err)
		}
		over(t, secure, func(t *testing.T, c *http.Client, version string) {
			s.set(route(start(t, proto, 0, func(c *call) bool {
				io.WriteString(c.Conn, takeoverHead+"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhello")
				return false
			})))
			resp, err := c.Get("https://" + secure + "/")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if got, err := io.ReadAll(resp.Body); string(got) != "hello" || err != nil || resp.Proto != version {
				t.Errorf("%s: got %q, %v", resp.Proto, got, err)
			}
		})
	})
}

// Another server's 199 is an interim response like others.
func TestForeignInterimResponsesTakeNothingOver(t *testing.T) {
	t.Parallel()
	for _, interim := range []string{"HTTP/1.1 199 Miscellaneous\r\n\r\n", "HTTP/1.1 199 Hijacked\r\nWarning: x\r\n\r\n", "HTTP/1.1 199\r\n\r\n"} {
		both(t, func(t *testing.T, proto string) {
			f := start(t, proto, 1, func(c *call) bool {
				io.WriteString(c.Conn, interim)
				c.ok("fine")
				return true
			})
			s := serve(t, Config{}, route(f))
			p := s.dial()
			for range 2 {
				p.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
				if r := p.receive("GET"); r.Status != 199 {
					t.Errorf("%q: got %d, want it passed on", interim, r.Status)
				}
				if r := p.receive("GET"); r.Body != "fine" {
					t.Errorf("%q: got %+v", interim, r)
				}
			}
			if n := f.accepted.Load(); n != 1 {
				t.Errorf("%q: got %d connections for 2 requests", interim, n)
			}
		})
	}
}

// A process whose app took a connection over gets the next request as soon as
// it answers again, and not before.
func TestTheSlotIsFreeOnceTheProcessIs(t *testing.T) {
	t.Parallel()
	free := make(chan bool)
	f := start(t, protocol.ProtocolSession, 1, func(c *call) bool {
		switch {
		case asked(c, free):
		case c.Target == "/take":
			io.WriteString(c.Conn, takeoverHead)
			c.Conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"))
			io.Copy(c.Conn, c.In)
			return false
		default:
			c.ok("page")
		}
		return true
	})
	s := serve(t, Config{}, route(f))
	p := s.open(upgradeHead[:4]+"/take"+upgradeHead[len("GET /ws"):], 1)
	second := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	eventually(t, "the second request in the queue", func() bool { return s.queued() == 1 })
	if n := s.inFlight(f); n != 1 {
		t.Errorf("got %d in flight while the process is busy, want 1", n)
	}
	free <- true
	if r := second.receive("GET"); r.Body != "page" {
		t.Errorf("got %+v", r)
	}
	eventually(t, "the slot is free", func() bool { return s.inFlight(f) == 0 })
	if r := s.snapshot(); r.Processes[f.route.ID].Upgraded != 1 || r.Apps["app"].Upgraded != 1 {
		t.Errorf("got %+v", r)
	}
	p.send("hello")
	if _, err := io.ReadFull(p.in, make([]byte, 5)); err != nil {
		t.Error(err)
	}
	p.Close()
	eventually(t, "the session's end", func() bool {
		r := s.snapshot().Processes[f.route.ID]
		return r.Upgraded == 0 && r.InFlight == 0 && r.Processed == 2
	})
}

// A process that drains is in use until its upgraded connections have ended.
func TestProcessesDrainWithWhatWasTakenOver(t *testing.T) {
	t.Parallel()
	free, pass := make(chan bool), make(chan bool)
	f := start(t, protocol.ProtocolSession, 1, func(c *call) bool {
		if !asked(c, free) {
			io.WriteString(c.Conn, takeoverHead)
			<-pass
			c.reply("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
		}
		return true
	})
	s := serve(t, Config{}, route(f))
	p := s.dial().send("GET /poll HTTP/1.1\r\nHost: a\r\n\r\n")
	free <- true
	eventually(t, "the slot is free", func() bool { return s.upgraded() == 1 && s.inFlight(f) == 0 })
	s.set(leave(route(f)))
	s.set(protocol.Route{App: "app", BaseURI: "/"})
	if r := s.snapshot().Processes[f.route.ID]; r.Upgraded != 1 {
		t.Errorf("got %+v", r)
	}
	close(pass)
	if r := p.receive("GET"); r.Body != "late" {
		t.Errorf("got %+v: an answer that is no upgrade was cut off", r)
	}
	eventually(t, "the session's end", func() bool { return s.upgraded() == 0 })
}

// Beyond the limit an upgrade is refused, also while no slot is held, and
// another takeover keeps its slot.
func TestUpgradedConnectionsHaveALimitOfTheirOwn(t *testing.T) {
	t.Parallel()
	free := make(chan bool)
	close(free)
	f := start(t, protocol.ProtocolSession, 2, func(c *call) bool {
		switch {
		case asked(c, free):
			return true
		case c.Target == "/page":
			c.ok("page")
			return true
		}
		io.WriteString(c.Conn, takeoverHead)
		if c.header("Upgrade") != "" {
			return switchTo("websocket", nil)(c)
		}
		c.reply("HTTP/1.1 200 OK\r\n\r\n")
		io.Copy(io.Discard, c.In)
		return false
	})
	r := route(f)
	r.MaxUpgraded = new(int)
	*r.MaxUpgraded = 2
	s := serve(t, Config{}, r)
	first, _ := s.open(socketHead, 1), s.open(socketHead, 2)
	eventually(t, "the slots are free", func() bool { return s.inFlight(f) == 0 })
	if r := s.dial().send(socketHead).receive("GET"); r.Status != 503 || !strings.Contains(r.Body, "upgraded") {
		t.Errorf("got %+v", r)
	}
	poll := s.dial().send("GET /poll HTTP/1.1\r\nHost: a\r\n\r\n")
	eventually(t, "a third", func() bool { return s.upgraded() == 3 })
	if r := s.dial().get("/page"); r.Body != "page" {
		t.Errorf("got %+v", r)
	}
	if n := s.inFlight(f); n != 1 {
		t.Errorf("got %d in flight, want the one beyond the limit", n)
	}
	poll.Close()
	first.Close()
	eventually(t, "their end", func() bool { return s.upgraded() == 1 })
	s.open(socketHead, 2)
}

// After an interim response the process has its whole time.
func TestWaitsAfterAnInterimResponseAreLong(t *testing.T) {
	t.Parallel()
	for _, interim := range []string{takeoverHead, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 2"} {
		both(t, func(t *testing.T, proto string) {
			g := newGate()
			f := start(t, proto, 1, func(c *call) bool {
				if asked(c, g.pass) {
					return true
				}
				io.WriteString(c.Conn, interim)
				g.came <- c
				<-g.pass
				io.WriteString(c.Conn, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"[strings.Count(interim, "HTTP/1.1 2")*len("HTTP/1.1 2"):])
				return false
			})
			s := serve(t, Config{}, route(f))
			p := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			within(t, g.came, "the call")
			begin := s.clock.Now.Load()
			eventually(t, "more than a look's time", func() bool { return s.clock.Now.Load() > begin+int64(lookEvery)*3/2 })
			g.open()
			r := p.receive("GET")
			if r.Status == 103 {
				r = p.receive("GET")
			}
			if r.Body != "late" {
				t.Errorf("%q: got %+v", interim, r)
			}
		})
	}
}
