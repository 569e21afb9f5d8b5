package proxy

import (
	"strings"
	"testing"

	"passenger/lib/protocol"
)

func TestTrailersReachTheAppWithoutWhatAProxyDecides(t *testing.T) {
	t.Parallel()
	trailers := make(chan string, 1)
	s := serve(t, Config{}, route(start(t, protocol.ProtocolHTTP, 1, func(c *call) bool {
		c.body()
		h := c.Trailer()
		var names []string
		for name := range h {
			names = append(names, name+"="+h.Get(name))
		}
		trailers <- strings.Join(names, " ")
		c.ok("ok")
		return true
	})))
	p := s.dial().send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n" +
		"X-Checksum: 7\r\nX-Forwarded-For: 1.2.3.4\r\nX_Real: 1\r\nCookie: a=b\r\n\r\n")
	if r := p.receive("POST"); r.Status != 200 {
		t.Fatalf("got %+v", r)
	}
	if got := <-trailers; got != "X-Checksum=7" {
		t.Errorf("the app got the trailer %q", got)
	}
}

func TestTrailersReachTheClient(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		s := serve(t, Config{}, route(start(t, proto, 1, func(c *call) bool {
			c.reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n")
			return true
		})))
		p := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		var got strings.Builder
		for !strings.HasSuffix(got.String(), "X-Sum: 7\r\n\r\n") {
			line, err := p.in.ReadString('\n')
			if got.WriteString(line); err != nil {
				t.Fatalf("got %q, %v", got.String(), err)
			}
		}
	})
}

func TestInterimResponsesAreBounded(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		s := serve(t, Config{}, route(start(t, proto, 1, func(c *call) bool {
			for range maxInterims + 1 {
				c.reply("HTTP/1.1 102 Processing\r\n\r\n")
			}
			return false
		})))
		p := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		n := 0
		r := p.receive("GET")
		for ; r.Status == 102; r = p.receive("GET") {
			n++
		}
		if r.Status != 502 || n != maxInterims {
			t.Errorf("got %d interim responses and then %d, want %d and 502", n, r.Status, maxInterims)
		}
	})
}

func TestRequestsForTheServerAsAWhole(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		s := serve(t, Config{}, route(start(t, proto, 1, func(c *call) bool {
			c.ok(c.Target)
			return true
		})))
		p := s.dial()
		for target, want := range map[string]string{"*": "*", "http://a": "*", "http://a/": "/", "http://a?q": "/?q"} {
			if r := p.send("OPTIONS " + target + " HTTP/1.1\r\nHost: a\r\n\r\n").receive("OPTIONS"); r.Body != want {
				t.Errorf("OPTIONS %s: the app got %q, want %q", target, r.Body, want)
			}
		}
	})
}

func TestViaIsAddedToWhatIsThere(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{}, toldAll(route(start(t, protocol.ProtocolHTTP, 1, func(c *call) bool {
		c.ok(c.header("Via"))
		return true
	}))))
	if r := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\nVia: 2.0 edge\r\n\r\n").receive("GET"); r.Body != "2.0 edge, 1.1 passenger" {
		t.Errorf("got %q", r.Body)
	}
}
