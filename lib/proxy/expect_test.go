package proxy

import (
	"fmt"
	"strings"
	"testing"

	"passenger/lib/protocol"
)

func TestExpectIsLeftToTheApp(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{}, expecting(start(t, "http", 1, func(c *call) bool {
		switch {
		case c.header("Expect") == "":
			c.ok("no Expect: " + c.body())
		case c.header("X-Refuse") != "":
			c.reply("%s", "HTTP/1.1 413 Too Much\r\nContent-Length: 2\r\n\r\nno")
			return false
		default:
			c.reply("%s", "HTTP/1.1 100 Continue\r\n\r\n")
			c.ok("asked: " + c.body())
		}
		return true
	})))
	for _, size := range []int{5, maxHeld + 5} {
		body := strings.Repeat("x", size)
		head := fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n", size)
		chunked := "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"

		p := s.dial().send(head + "Expect: 100-continue\r\n\r\n")
		if r := p.receive("POST"); r.Status != 100 {
			t.Fatalf("%d bytes: got %+v, want 100", size, r)
		}
		if r := p.send(body).receive("POST"); r.Body != "asked: "+body {
			t.Errorf("%d bytes: got %d %.30q", size, r.Status, r.Body)
		}
		// The connection goes on, and who does not ask is not answered.
		if r := p.send(head + "\r\n" + body).receive("POST"); r.Body != "no Expect: "+body {
			t.Errorf("%d bytes, not asked: got %d %.30q", size, r.Status, r.Body)
		}
		// Nor is who does not wait.
		if r := p.send(head + "Expect: 100-continue\r\n\r\n" + body).receive("POST"); r.Body != "no Expect: "+body {
			t.Errorf("%d bytes at once: got %d %.30q", size, r.Status, r.Body)
		}
		p.send(chunked + "Expect: 100-continue\r\n\r\n")
		if r := p.receive("POST"); r.Status != 100 {
			t.Fatalf("%d bytes chunked: got %+v, want 100", size, r)
		}
		if r := p.send(fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", size, body)).receive("POST"); r.Body != "asked: "+body {
			t.Errorf("%d bytes chunked: got %d %.30q", size, r.Status, r.Body)
		}

		p = s.dial().send(head + "X-Refuse: 1\r\nExpect: 100-continue\r\n\r\n")
		if r := p.receive("POST"); r.Status != 413 || r.Body != "no" || !r.Close {
			t.Errorf("%d bytes refused: got %+v, want the app's 413 and the connection's end", size, r)
		}
	}
	if r := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n").receive("GET"); r.Status != 200 {
		t.Errorf("no body: got %+v", r)
	}
}

// A process of the session protocol has no way to answer it.
func TestExpectIsNotLeftToSessions(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{}, expecting(start(t, "session", 1, func(c *call) bool {
		c.ok(c.body())
		return true
	})))
	p := s.dial().send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	if r := p.receive("POST"); r.Status != 100 {
		t.Fatalf("got %+v, want 100", r)
	}
	if r := p.send("hello").receive("POST"); r.Body != "hello" {
		t.Errorf("got %+v", r)
	}
}

func expecting(f *fake) protocol.Route {
	r := route(f)
	r.PassExpect = true
	return r
}
