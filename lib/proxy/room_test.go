package proxy

import (
	"testing"
	"time"

	h2 "golang.org/x/net/http2"
)

// Room is made by those that have been idle for longest, over TLS and HTTP/2 too,
// and never by one that asked for something.
func TestRoomIsMadeByTheIdle(t *testing.T) {
	t.Parallel()
	g := newGate()
	f := start(t, "http", 0, func(c *call) bool {
		if c.Target == "/wait" {
			return g.answer(c)
		}
		c.ok("ok")
		return true
	})
	s, secure := serveTLS(t, Config{idlePatience: brief}, route(f))
	busy, begun := s.dial().send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"), s.dial().send("GET / HTTP/1.1\r\n")
	within(t, g.came, "the call")
	var idle []*peer
	for i := range 3 {
		var p *peer
		if i == 1 {
			p = dialTLS(t, secure)
		} else {
			p = s.dial()
		}
		if i < 2 { // the last one asks for nothing
			p.get("/")
		}
		eventually(t, "it is parked", func() bool { return s.parked() == i+2 }) // begun is parked too
		at := s.clock.Now.Load()
		eventually(t, "time passes", func() bool { return s.clock.Now.Load() > at+int64(brief) })
		idle = append(idle, p)
	}
	for _, p := range idle {
		if !s.makeRoom() {
			t.Fatal("an idle client makes no room")
		}
		p.closed()
	}
	if s.makeRoom() {
		t.Error("a client that asked for something makes room")
	}
	eventually(t, "two connections are left", func() bool { return s.connections() == 2 })
	if r := begun.send("Host: a\r\n\r\n").receive("GET"); r.Status != 200 {
		t.Errorf("got %+v", r)
	}
	g.open()
	if r := busy.receive("GET"); r.Status != 200 {
		t.Errorf("got %+v", r)
	}
	if n := s.evicted.Load(); n != 3 {
		t.Errorf("%d clients were closed, want 3", n)
	}
}

func TestIdleClientsOfHTTP2AreAskedToLeave(t *testing.T) {
	t.Parallel()
	s, secure := serveTLS(t, Config{}, route(start(t, "http", 0, say("ok"))))
	p := dialFramed(t, secure)
	p.must(p.ask(1, true, headerFields("GET")...))
	p.answer(1, false)
	eventually(t, "it is asked to leave", func() bool {
		s.makeRoom()
		time.Sleep(time.Millisecond)
		return s.http2.count() == 0
	})
	for {
		f, err := p.ReadFrame()
		if err != nil {
			t.Fatalf("it ended without a word: %v", err)
		}
		if g, ok := f.(*h2.GoAwayFrame); ok && g.ErrCode == h2.ErrCodeNo {
			return
		}
	}
}
