package proxy

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// short are timeouts of which one is short.
func short(set func(*Timeouts)) Config {
	t := quick
	set(&t)
	return Config{Timeouts: t}
}

const brief = 50 * time.Millisecond

func TestSlowHeadersAreRefused(t *testing.T) {
	t.Parallel()
	f := start(t, "http", 0, say("no"))
	s := serve(t, short(func(t *Timeouts) { t.Header = brief }), route(f))
	for _, text := range []string{"G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX: "} {
		p := s.dial().send(text)
		stop := make(chan struct{})
		go func() { // it trickles, which is no excuse
			for {
				select {
				case <-stop:
					return
				case <-time.After(brief / 10):
					io.WriteString(p.Conn, "a")
				}
			}
		}()
		if r := p.receive("GET"); r.Status != 408 || !r.Close {
			t.Errorf("%q: got %+v", text, r)
		}
		close(stop)
		p.Close()
	}
	if f.accepted.Load() != 0 {
		t.Error("a half request reached the app")
	}
}

func TestStalledBodiesAreRefused(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		s := serve(t, short(func(t *Timeouts) { t.Body = brief }), route(start(t, proto, 1, func(c *call) bool {
			if !strings.HasPrefix(c.body(), "error") {
				t.Error("the app got a whole body")
			}
			return false
		})))
		for _, head := range []string{"Content-Length: 10", "Content-Length: 100000", "Transfer-Encoding: chunked"} {
			p := s.dial().send("POST / HTTP/1.1\r\nHost: a\r\n" + head + "\r\n\r\n5\r\nh")
			if r := p.receive("POST"); r.Status != 408 || !r.Close {
				t.Errorf("%s: got %+v", head, r)
			}
		}
	})
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	r := route(start(t, "http", 0, say("ok")))
	serve(t, short(func(t *Timeouts) { t.Idle = brief }), r).dial().closed()
	s := serve(t, Config{}, r)
	p := s.dial()
	for range 3 {
		if r := p.get("/"); r.Body != "ok" {
			t.Errorf("got %+v", r)
		}
		s.pass(patience / 2)
	}
	eventually(t, "no connection", func() bool { s.pass(patience); return s.connections() == 0 })
	p.closed()
}

func TestSilentAppsAreGivenUp(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		f := start(t, proto, 1, func(c *call) bool {
			c.reply("%s", map[string]string{"/first": "", "/head": "HTTP/1.1 200", "/body": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"}[c.Target])
			io.Copy(io.Discard, c.In) // until the proxy closes
			return false
		})
		r := route(f)
		r.ReadTimeout = brief.Seconds()
		s := serve(t, Config{}, r)
		for _, path := range []string{"/first", "/head"} {
			p := s.dial()
			for range 2 {
				if got := p.get(path); got.Status != 504 || got.Close {
					t.Errorf("%s: got %+v", path, got)
				}
			}
		}
		r.ReadTimeout = patience.Seconds()
		s.set(r)
		p := s.dial().send("GET /body HTTP/1.1\r\nHost: a\r\n\r\n")
		got, err := http.ReadResponse(p.in, nil)
		if err != nil {
			t.Fatal(err)
		}
		body := make([]byte, 5)
		if _, err := io.ReadFull(got.Body, body); err != nil || string(body) != "hello" {
			t.Errorf("got %q, %v", body, err)
		}
		eventually(t, "no session", func() bool { s.pass(patience); return s.inFlight(f) == 0 && f.open.Load() == 0 })
		if rest, err := io.ReadAll(got.Body); err == nil || len(rest) > 0 {
			t.Errorf("got %q, %v", rest, err)
		}
	})
}

// A long silence is interrupted to look after the client, without a loss.
func TestLongWaitsSurviveLooks(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		g := newGate()
		f := start(t, proto, 1, func(c *call) bool {
			g.came <- c
			<-g.pass
			c.reply("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
			<-g.pass
			c.reply("hello")
			return true
		})
		s := serve(t, Config{}, route(f))
		p := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		within(t, g.came, "the call")
		begin := s.clock.Now.Load()
		for i := range 2 {
			eventually(t, "more than a look's time", func() bool { return s.clock.Now.Load() > begin+int64(i+1)*int64(lookEvery)*3/2 })
			g.pass <- true
		}
		if r := p.receive("GET"); r.Body != "hellohello" || r.Err != nil {
			t.Errorf("got %+v", r)
		}
	})
}

// So does a silence within the head of an answer, or behind an interim one.
func TestLongWaitsWithinAHead(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		parts := make(chan string)
		s := serve(t, Config{}, route(start(t, proto, 1, func(c *call) bool {
			for part := range parts {
				c.reply("%s", part)
			}
			return false
		})))
		p := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		for _, part := range []string{"HTTP/1.1 102 Processing\r\nLink: </a>\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-", "Length: 2\r\n\r\nok"} {
			parts <- part
			begin := s.clock.Now.Load()
			eventually(t, "more than a look's time", func() bool { return s.clock.Now.Load() > begin+int64(lookEvery)*3/2 })
		}
		close(parts)
		for _, want := range []int{102, 200} {
			if r := p.receive("GET"); r.Status != want {
				t.Fatalf("got %+v, want %d", r, want)
			}
		}
	})
}

// An app learns that its client is gone though it has nothing to write.
func TestAppLearnsThatItsClientIsGone(t *testing.T) {
	t.Parallel()
	came, left := make(chan bool, 2), make(chan bool, 2)
	f := start(t, "http", 0, func(c *call) bool {
		came <- true
		io.Copy(io.Discard, c.In)
		left <- true
		return false
	})
	s := serve(t, Config{}, route(f))
	for _, method := range []string{"GET", "POST"} {
		p := s.dial().send(method + " / HTTP/1.1\r\nHost: a\r\n\r\n")
		within(t, came, "the call")
		p.Conn.(*net.TCPConn).SetLinger(0)
		p.Close()
		within(t, left, "the app sees the end: "+method)
	}
}

func TestStalledReadersAreCutOff(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		f := start(t, proto, 1, func(c *call) bool {
			c.reply("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", 1<<30)
			for piece := make([]byte, 1<<20); ; {
				if _, err := c.Conn.Write(piece); err != nil {
					return false
				}
			}
		})
		s := serve(t, short(func(t *Timeouts) { t.Write = brief }), route(f))
		s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		eventually(t, "the session begins", func() bool { return f.requests.Load() == 1 })
		eventually(t, "the session ends", func() bool { return s.inFlight(f) == 0 && s.connections() == 0 })
	})
}

func TestSilentTunnelsEnd(t *testing.T) {
	t.Parallel()
	f := start(t, "http", 0, func(c *call) bool {
		c.reply("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		io.Copy(io.Discard, c.In)
		return false
	})
	s := serve(t, Config{}, route(f))
	p := s.open(upgradeHead, 1)
	eventually(t, "the session ends", func() bool { s.pass(patience); return s.inFlight(f) == 0 })
	p.closed()
}
