package proxy

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"
)

const upgradeHead = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: echo\r\n\r\n"

func TestUpgradedConnectionsAreTunnels(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		s := serve(t, Config{}, route(start(t, proto, 1, func(c *call) bool {
			if c.header("Connection") != "Upgrade" || c.header("Upgrade") != "echo" {
				t.Errorf("the app got Connection %q, Upgrade %q", c.header("Connection"), c.header("Upgrade"))
			}
			c.reply("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nX-A: b\r\n\r\nhello ")
			io.Copy(c.Conn, c.In)
			return false
		})))
		p := s.dial().send(upgradeHead + "early ")
		r, err := http.ReadResponse(p.in, nil)
		if err != nil || r.StatusCode != 101 || r.Header.Get("Upgrade") != "echo" || r.Header.Get("Connection") != "Upgrade" || r.Header.Get("X-A") != "b" {
			t.Fatalf("got %v, %v", r, err)
		}
		body := pattern(5 << 20)
		go func() {
			p.Write(body)
			p.Conn.(*net.TCPConn).CloseWrite()
		}()
		eventually(t, "a request in phase upgraded", func() bool { l := s.requests(); return len(l) == 1 && l[0].Phase == "upgraded" })
		got, err := io.ReadAll(p.in)
		if want := append([]byte("hello early "), body...); err != nil || !bytes.Equal(got, want) {
			t.Errorf("got %d bytes, %v; want %d", len(got), err, len(want))
		}
		eventually(t, "the session's end", func() bool {
			for _, p := range s.snapshot().Processes {
				return p.InFlight == 0
			}
			return false
		})
	})
}

// A process may switch to what its client asked for, to one of several if it
// asked for them, and to nothing else: RFC 9110, 7.8.
func TestProcessesSwitchToWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		for _, tt := range []struct {
			asked, given string
			status       int
		}{
			{"echo", "echo", 101}, {"echo", "ECHO", 101}, {"one/2, echo/1", "echo/1", 101}, {"echo/1", "echo", 101}, {"echo", "", 101},
			{"websocket", "WebSocket", 101},
			{"echo", ", echo,", 101}, {", echo, ,", "echo", 101}, {"one\r\nUpgrade: echo", "echo", 101}, {"one, two", "two, one", 101},
			{"echo, h2c", "echo", 101}, {"h2c, echo", "echo", 101}, {"echo, h2c", "h2c", 502}, {"echo, HTTP/2.0", "HTTP/2.0", 502},
			{"echo", "echo\r\nUpgrade: other", 502}, {"echo\r\nUpgrade: h2c", "h2c", 502},
			{"echo", "other", 502}, {"echo/1", "echo/2", 502}, {"websocket", "h2c", 502}, {"echo", "echo, other", 502},
		} {
			f := start(t, proto, 0, func(c *call) bool {
				given := "Upgrade: " + tt.given + "\r\n"
				if tt.given == "" {
					given = ""
				}
				c.reply("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n%s\r\n", given)
				return false
			})
			s := serve(t, Config{}, route(f))
			r, err := http.ReadResponse(s.dial().send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: "+tt.asked+"\r\n\r\n").in, nil)
			if err != nil || r.StatusCode != tt.status {
				t.Errorf("asked for %q, given %q: got %v, %v; want %d", tt.asked, tt.given, r, err, tt.status)
			}
		}
	})
}

// A refused upgrade is an ordinary answer, but the connection to the process
// is not used again.
func TestRefusedUpgrades(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		f := start(t, proto, 1, say("no"))
		s := serve(t, Config{}, route(f))
		p := s.dial()
		for range 3 {
			if r := p.send(upgradeHead).receive("GET"); r.Status != 200 || r.Body != "no" {
				t.Fatalf("got %+v", r)
			}
		}
		if n := f.accepted.Load(); n != 3 {
			t.Errorf("got %d connections for 3 refused upgrades", n)
		}
	})
}

func TestUpgradesThatMustNotBeAreNotPassedOn(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		calls := make(chan *call, 1)
		s := serve(t, Config{}, route(start(t, proto, 1, record(calls))))
		for _, text := range []string{
			"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n",
			"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\nContent-Length: 2\r\n\r\nok",
			"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n",
			"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: , WebSocket/13\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: , h2c\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: HTTP/2.0\r\nUpgrade: h2\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\n\r\n",
			"GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
		} {
			s.dial().send(text).receive("GET")
			if c := within(t, calls, "the call"); c.header("Upgrade") != "" || c.header("Connection") != "" {
				t.Errorf("%q: the app got Upgrade %q", text, c.header("Upgrade"))
			}
		}
	})
}

// An app that took its connection over answers as it likes, and gets all that
// the client sends.
func TestHijackedSessionsAreTunnels(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{}, route(start(t, "session", 1, func(c *call) bool {
		c.reply("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n")
		io.Copy(c.Conn, c.In)
		return false
	})))
	p := s.dial().send("GET /hijack HTTP/1.1\r\nHost: a\r\n\r\nping ")
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
}
