package proxy

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"passenger/lib/protocol"
)

// limitedTo serves an app with limits.
func limitedTo(t *testing.T, c Config, l protocol.Serving, handle func(*call) bool) *server {
	t.Helper()
	r := route(start(t, protocol.ProtocolSession, 0, handle))
	r.Serving = l
	r.BufferUpload = new(bool)
	return serve(t, c, r)
}

func TestRequestsOverARateAreRefused(t *testing.T) {
	t.Parallel()
	s := limitedTo(t, Config{}, protocol.Serving{ClientRequestRate: 0.001, ClientRequestBurst: 2}, say("app"))
	p := s.dial()
	for range 2 {
		if r := p.get("/"); r.Status != 200 {
			t.Fatalf("got %+v", r)
		}
	}
	for _, ask := range []string{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "GET /?again HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n"} {
		if r := p.send(ask).receive(strings.Fields(ask)[0]); r.Status != 429 || len(r.Header.Get("Retry-After")) < 3 || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%q: got %+v", ask, r)
		}
	}
	// A body that nobody reads ends the connection.
	if r := p.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc").receive("POST"); r.Status != 429 || !r.Close {
		t.Errorf("got %+v", r)
	}
	s.wantMetrics(map[string]string{`limited_total{app="app",limit="client_request_rate"}`: "4"})
}

// Whom a request counts for: the client that a trusted one names last, a network of
// IPv6, and nobody where no address is known.
func TestLimitsGoByWhoAsks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what, first, second string
		trusts, same        bool
	}{
		{"spoofed by a stranger", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 192.0.2.2", false, true},
		{"named by a trusted one", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 192.0.2.2", true, false},
		{"spoofed through a trusted one", "X-Forwarded-For: 198.51.100.1, 192.0.2.1", "X-Forwarded-For: 198.51.100.2, 192.0.2.1", true, true},
		{"behind two trusted ones", "X-Forwarded-For: 192.0.2.1, 127.0.0.9", "X-Forwarded-For: 192.0.2.2, 127.0.0.9", true, false},
		{"a network of IPv6", "X-Forwarded-For: 2001:db8::1", "X-Forwarded-For: 2001:db8::2", true, true},
		{"two networks", "X-Forwarded-For: 2001:db8:0:1::1", "X-Forwarded-For: 2001:db8:0:2::1", true, false},
		{"IPv4 in IPv6", "X-Forwarded-For: ::ffff:192.0.2.1", "X-Forwarded-For: 192.0.2.1", true, true},
		{"with ports", "X-Forwarded-For: 192.0.2.1:1234", "X-Forwarded-For: 192.0.2.1:4321", true, true},
		{"garbage", "X-Forwarded-For: unknown", "X-Forwarded-For: unknown", true, false},
		{"nobody", "X-A: b", "X-A: b", true, false},
	} {
		config := Config{}
		if c.trusts {
			config = trust(t, "127.0.0.0/8")
		}
		p := limitedTo(t, config, protocol.Serving{ClientRequestRate: 0.001, ClientRequestBurst: 1}, say("app")).dial()
		first := p.send("GET / HTTP/1.1\r\nHost: a\r\n" + c.first + "\r\n\r\n").receive("GET").Status
		second := p.send("GET / HTTP/1.1\r\nHost: a\r\n" + c.second + "\r\n\r\n").receive("GET").Status
		if same := second == 429; first != 200 || same != c.same {
			t.Errorf("%s: got %d and %d", c.what, first, second)
		}
	}
}

// A request that is under way, in the queue or upgraded holds its place until it ends,
// also if its client leaves.
func TestRequestsAtOnceAreLimited(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]protocol.Serving{"client": {ClientRequestConcurrency: 1}, "all": {RequestConcurrency: 1}} {
		g := newGate()
		s := limitedTo(t, Config{}, l, func(c *call) bool {
			if c.Target == "/wait" {
				return g.answer(c)
			}
			c.ok("app")
			return true
		})
		busy := s.dial().send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
		within(t, g.came, "the call")
		if r := s.dial().get("/"); r.Status != 429 || r.Header.Get("Retry-After") != "1" {
			t.Errorf("%s: got %+v", name, r)
		}
		g.open()
		busy.receive("GET")
		eventually(t, "the place is free", func() bool { return s.dial().get("/").Status == 200 })
	}
}

// What the proxy serves by itself costs the app nothing, and does not count.
func TestFilesDoNotCount(t *testing.T) {
	t.Parallel()
	dir := writeFiles(t, map[string]string{"public/a.txt": "file"})
	r := route(start(t, protocol.ProtocolSession, 0, say("app")))
	r.StaticDir, r.ClientRequestRate, r.ClientRequestBurst = filepath.Join(dir, "public"), 0.001, 1
	p := serve(t, Config{}, r).dial()
	for i, want := range []string{"/a.txt 200", "/a.txt 200", "/ 200", "/ 429", "/a.txt 200"} {
		path, status, _ := strings.Cut(want, " ")
		if got := p.get(path).Status; (got == 200) != (status == "200") {
			t.Errorf("%d, %s: got %d", i, want, got)
		}
	}
}

func TestLimitingAllocatesNothing(t *testing.T) {
	if racing {
		t.Skip("the race detector makes sync.Pool forget")
	}
	for what, c := range map[string]Config{"by connection": {}, "by a trusted one": trust(t, "127.0.0.0/8")} {
		r := route(instant(t, protocol.ProtocolSession))
		r.ClientRequestRate, r.ClientRequestConcurrency, r.RequestRate, r.RequestConcurrency = 1e6, 100, 1e6, 100
		trip := newRoundTrip(t, serve(t, c, r))
		trip.request = []byte(strings.Replace(benchRequest, "Accept: */*\r\n", "Accept: */*\r\nX-Forwarded-For: 2001:db8:1:2:3:4:5:6\r\n", 1))
		if n := testing.AllocsPerRun(2000, func() { trip.do(t) }); n > 0 {
			t.Errorf("%s: got %v allocations per request, want 0", what, n)
		}
	}
}

func TestOtherHostsAreSentToTheCanonicalOne(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what, request, want string // status and Location
		trusts              bool
	}{
		{"the right host", "GET /a HTTP/1.1\r\nHost: www.test\r\n", "200 ", false},
		{"another", "GET /a?b=c HTTP/1.1\r\nHost: a.test\r\n", "301 http://www.test/a?b=c", false},
		{"HEAD", "HEAD /a HTTP/1.1\r\nHost: a.test\r\n", "301 http://www.test/a", false},
		{"a port", "GET /a HTTP/1.1\r\nHost: a.test:3000\r\n", "301 http://www.test:3000/a", false},
		{"another method", "DELETE /a HTTP/1.1\r\nHost: a.test\r\n", "308 http://www.test/a", false},
		{"a body", "POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\n", "308 http://www.test/a", false},
		{"no host", "GET /a HTTP/1.0\r\n", "200 ", false},
		{"a health check", "GET /up HTTP/1.1\r\nHost: 10.0.0.1\r\n", "200 ", false},
		{"two slashes", "GET //evil.test/ HTTP/1.1\r\nHost: a.test\r\n", "301 http://www.test//evil.test/", false},
		{"a whole address", "GET http://a.test/a HTTP/1.1\r\nHost: a.test\r\n", "301 http://www.test/a", false},
		{"of a stranger", "GET /a HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-Host: www.test\r\nX-Forwarded-Proto: https\r\n", "301 http://www.test/a", false},
		{"of a trusted one", "GET /a HTTP/1.1\r\nHost: backend\r\nX-Forwarded-Host: www.test\r\n", "200 ", true},
		{"of a trusted one, by TLS", "GET /a HTTP/1.1\r\nHost: backend\r\nX-Forwarded-Host: a.test, b.test\r\nX-Forwarded-Proto: https\r\n", "301 https://www.test/a", true},
	} {
		config := Config{}
		if c.trusts {
			config = trust(t, "127.0.0.0/8")
		}
		r := route(start(t, protocol.ProtocolSession, 0, say("app")))
		r.CanonicalHost, r.HealthPath = "www.test", "/up"
		got := serve(t, config, r).dial().send(c.request + "\r\n").receive(strings.Fields(c.request)[0])
		if text := fmt.Sprint(got.Status, " ", got.Header.Get("Location")); text != c.want {
			t.Errorf("%s: got %q, want %q", c.what, text, c.want)
		}
	}
}
