package proxy

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/protocol"
)

// record answers every call and hands it on.
func record(calls chan<- *call) behaviour {
	return func(c *call) bool {
		b := c.body()
		calls <- c
		c.ok(b)
		return true
	}
}

func TestSessionSaysWhatTheRequestIs(t *testing.T) {
	t.Parallel()
	sessionSaysWhatTheRequestIs(t, protocol.ProtocolSession, map[string]string{"SCGI": "1"})
	sessionSaysWhatTheRequestIs(t, apart, nil)
}

// more are what the block has besides.
func sessionSaysWhatTheRequestIs(t *testing.T, proto string, more map[string]string) {
	t.Helper()
	calls := make(chan *call, 1)
	r := route(start(t, proto, 1, record(calls)))
	r.BaseURI = "/sub"
	s := serve(t, Config{Release: "1.2"}, r)
	p := s.dial()
	p.send("POST /sub/%2e%2e//x;y?q=%00&r HTTP/1.1\r\nHost: A.test:8080\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nCookie: a=b\r\n" +
		"X-One: 1\r\ncookie: c=d\r\nx-one: 2\r\n\r\nhello")
	if got := p.receive("POST"); got.Status != 200 || got.Body != "hello" {
		t.Errorf("got %+v", got)
	}
	c := within(t, calls, "the call")
	addr, port, _ := strings.Cut(p.LocalAddr().String(), ":")
	want := map[string]string{
		"CONTENT_LENGTH": "5", "REQUEST_METHOD": "POST", "REQUEST_URI": "/sub/%2e%2e//x;y?q=%00&r",
		"SCRIPT_NAME": "/sub", "PATH_INFO": "/%2e%2e//x;y", "QUERY_STRING": "q=%00&r", "SERVER_NAME": "A.test", "SERVER_PORT": "8080",
		"SERVER_PROTOCOL": "HTTP/1.1", "SERVER_SOFTWARE": "passenger/1.2", "REMOTE_ADDR": addr, "REMOTE_PORT": port,
		"CONTENT_TYPE": "text/plain", "HTTP_HOST": "A.test:8080", "HTTP_COOKIE": "a=b; c=d", "HTTP_X_ONE": "1, 2",
		"HTTP_X_FORWARDED_FOR": addr, "HTTP_X_FORWARDED_PROTO": "http", "HTTP_X_FORWARDED_HOST": "A.test:8080", "HTTP_X_FORWARDED_PORT": "8080",
	}
	maps.Copy(want, more)
	if id := c.Vars["HTTP_X_REQUEST_ID"]; len(id) != 32 {
		t.Errorf("got request ID %q", id)
	}
	if start := c.Vars["HTTP_X_REQUEST_START"]; !strings.HasPrefix(start, "t=") || len(start) != len("t=1732337801.574") {
		t.Errorf("got start %q", start)
	}
	delete(c.Vars, "HTTP_X_REQUEST_ID")
	delete(c.Vars, "HTTP_X_REQUEST_START")
	if diff := cmp.Diff(want, c.Vars); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHTTPSaysWhatTheRequestIs(t *testing.T) {
	t.Parallel()
	calls := make(chan *call, 1)
	s := serve(t, Config{}, toldAll(route(start(t, protocol.ProtocolHTTP, 0, record(calls)))))
	p := s.dial()
	p.send("PUT http://b.test:81/%2e%2e//x;y?q HTTP/1.1\r\nHost: B.test:81\r\nContent-Length: 5\r\nX-One: 1\r\nx-one: 2\r\n\r\nhello")
	if got := p.receive("PUT"); got.Status != 200 || got.Body != "hello" {
		t.Errorf("got %+v", got)
	}
	c := within(t, calls, "the call")
	if c.Method != "PUT" || c.Target != "/%2e%2e//x;y?q" {
		t.Errorf("got %s %s", c.Method, c.Target)
	}
	addr, _, _ := strings.Cut(p.LocalAddr().String(), ":")
	for name, want := range map[string]string{
		"Host": "b.test:81", "Content-Length": "5", "X-One": "1, 2", "X-Forwarded-For": addr, "X-Forwarded-Host": "b.test:81",
		"X-Forwarded-Port": "81", "X-Forwarded-Proto": "http", "Connection": "",
	} {
		if got := c.header(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// By default a process that speaks HTTP gets what it cannot know by itself, and
// what a trusted client says.
func TestHTTPIsToldFewThings(t *testing.T) {
	t.Parallel()
	all := []string{"Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Request-Id", "X-Request-Start"}
	for _, test := range []struct {
		name, added, fields string
		trusted             bool
		want                []string
	}{
		{"by default", "", "X-Forwarded-Host: evil\r\nX-Forwarded-Port: 6\r\nX-Request-Start: t=6\r\n", false, []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Request-Id"}},
		{"all", protocol.HeadersAll, "", false, all},
		{"a trusted client that says little", "", "", true, []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Request-Id"}},
		{"a trusted client that says all", "", "X-Forwarded-Host: b\r\nX-Forwarded-Port: 6\r\nX-Request-Start: t=6\r\n", true, all[1:]},
	} {
		calls := make(chan *call, 1)
		r := route(start(t, protocol.ProtocolHTTP, 0, record(calls)))
		r.AddedHeaders = test.added
		config := Config{}
		if test.trusted {
			config = trust(t, "127.0.0.0/8")
		}
		p := serve(t, config, r).dial()
		p.send("GET / HTTP/1.1\r\nHost: a\r\n" + test.fields + "\r\n")
		p.receive("GET")
		c := within(t, calls, "the call")
		var got []string
		for _, name := range all {
			if c.header(name) != "" {
				got = append(got, name)
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s:\n%s", test.name, diff)
		}
	}
}

// A client cannot make the app believe what only we know.
func TestClientsCannotForgeOurHeaders(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		calls := make(chan *call, 1)
		s := serve(t, Config{}, toldAll(route(start(t, proto, 1, record(calls)))))
		p := s.dial()
		p.send("GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded_For: 6.6.6.6\r\nX_FORWARDED_FOR: 6.6.6.6\r\nX.Forwarded.For: 6.6.6.6\r\n" +
			"x-forwarded-proto: https\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Port: 6\r\nX-Forwarded-Ssl: on\r\nForwarded: for=6.6.6.6\r\nX-Real-Ip: 6.6.6.6\r\n" +
			"X-Request-Id: evil\r\nX-Request-Start: t=1\r\nProxy: http://evil\r\nContent_Length: 5\r\nHTTPS: on\r\n" +
			"Connection: X-Forwarded-For, x-request-id, host, close\r\n\r\n")
		p.receive("GET")
		c := within(t, calls, "the call")
		addr, _, _ := strings.Cut(p.LocalAddr().String(), ":")
		for name, want := range map[string]string{
			"X-Forwarded-For": addr, "X-Forwarded-Proto": "http", "X-Forwarded-Host": "a.test", "X-Forwarded-Port": "80",
			"X-Forwarded-Ssl": "", "Forwarded": "", "X-Real-Ip": "", "Proxy": "", "Host": "a.test", "Content-Length": "", "Connection": "",
		} {
			if got := c.header(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		if all := fmt.Sprint(c.Header, c.Vars); strings.Contains(all, "6.6.6.6") || strings.Contains(all, "evil") || c.Vars["HTTPS"] != "" {
			t.Errorf("a forged header got through: %s", all)
		}
	})
}

func TestTrustedClientsAreBelieved(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		calls := make(chan *call, 1)
		s := serve(t, trust(t, "127.0.0.0/8"), route(start(t, proto, 1, record(calls))))
		for _, c := range []struct{ network, addr, chain string }{
			{"tcp", s.addr, "9.9.9.9, 8.8.8.8, 7.7.7.7, 127.0.0.1"},
			{"unix", s.unix, "9.9.9.9, 8.8.8.8, 7.7.7.7"},
		} {
			p := dialPeer(t, c.network, c.addr)
			p.send("GET / HTTP/1.1\r\nHost: inner\r\nX-Forwarded-For: 9.9.9.9, 8.8.8.8\r\nX-Forwarded-For: 7.7.7.7\r\nX-Forwarded-Proto: https\r\n" +
				"X-Forwarded-Host: shop.test\r\nX-Forwarded-Port: 8443\r\nX-Request-Id: abc-1\r\nX-Request-Start: t=5\r\nX_Forwarded_For: 6.6.6.6\r\nForwarded: for=1\r\n\r\n")
			p.receive("GET")
			got := within(t, calls, "the call")
			for name, want := range map[string]string{
				"X-Forwarded-For": c.chain, "X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.test", "X-Forwarded-Port": "8443",
				"X-Request-Id": "abc-1", "X-Request-Start": "t=5", "Host": "inner", "Forwarded": "for=1",
			} {
				if v := got.header(name); v != want {
					t.Errorf("%s %s: got %q, want %q", c.network, name, v, want)
				}
			}
			if got.Vars != nil && (got.Vars["HTTPS"] != "on" || got.Vars["SERVER_PORT"] != "443") {
				t.Errorf("got HTTPS=%q, SERVER_PORT=%q", got.Vars["HTTPS"], got.Vars["SERVER_PORT"])
			}
			p.send("GET / HTTP/1.1\r\nHost: inner\r\nX-Request-Id: a b\r\n\r\n").receive("GET")
			if id := within(t, calls, "the call").header("X-Request-Id"); len(id) != 32 {
				t.Errorf("got ID %q for an invalid one", id)
			}
		}
	})
}

func TestHopByHopHeadersEndAtTheProxy(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		calls := make(chan *call, 1)
		f := start(t, proto, 1, func(c *call) bool {
			calls <- c
			c.reply("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=5\r\nConnection: x-secret, keep-alive\r\nX-Secret: 1\r\n" +
				"Proxy-Authenticate: x\r\nX-Open: 1\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nUpgrade: h2c\r\n\r\nok")
			return true
		})
		s := serve(t, Config{}, route(f))
		p := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, x-hop\r\nKeep-Alive: 5\r\nX-Hop: 1\r\nTE: trailers\r\nTrailer: x\r\n" +
			"Proxy-Connection: x\r\nProxy-Authorization: y\r\nUpgrade: h2c\r\nHTTP2-Settings: z\r\nX-Stay: 1\r\n\r\n")
		r := p.receive("GET")
		c := within(t, calls, "the call")
		for _, name := range []string{"Connection", "Keep-Alive", "X-Hop", "TE", "Trailer", "Proxy-Connection", "Proxy-Authorization", "Upgrade", "HTTP2-Settings"} {
			if got := c.header(name); got != "" {
				t.Errorf("the app got %s: %q", name, got)
			}
		}
		if c.header("X-Stay") != "1" {
			t.Error("X-Stay was lost")
		}
		for _, name := range []string{"Connection", "Keep-Alive", "X-Secret", "Proxy-Authenticate", "Upgrade"} {
			if got := r.Header.Get(name); got != "" {
				t.Errorf("the client got %s: %q", name, got)
			}
		}
		if r.Header.Get("X-Open") != "1" || len(r.Header["Set-Cookie"]) != 2 || r.Header.Get("Date") == "" {
			t.Errorf("got %v", r.Header)
		}
	})
}

// No byte of a malformed request reaches an app.
func TestMalformedRequestsReachNoApp(t *testing.T) {
	t.Parallel()
	f := start(t, protocol.ProtocolHTTP, 0, say("no"))
	s := serve(t, Config{}, route(f))
	const host = "Host: a\r\n"
	for name, c := range map[string]struct {
		text   string
		status int
	}{
		"bad request line":    {"GET /\r\n\r\n", 400},
		"bad name":            {"GET / HTTP/1.1\r\n" + host + "a b: c\r\n\r\n", 400},
		"bare CR":             {"GET / HTTP/1.1\r\n" + host + "a: b\rc\r\n\r\n", 400},
		"bare LF":             {"GET / HTTP/1.1\n" + host + "\n", 400},
		"two lengths":         {"POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400},
		"length and coding":   {"POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		"folding":             {"GET / HTTP/1.1\r\n" + host + "a: b\r\n c\r\n\r\n", 400},
		"NUL":                 {"GET / HTTP/1.1\r\n" + host + "a: \x00\r\n\r\n", 400},
		"oversized":           {"GET / HTTP/1.1\r\n" + host + strings.Repeat("a: "+strings.Repeat("b", 8000)+"\r\n", 9) + "\r\n", 431},
		"oversized line":      {"GET / HTTP/1.1\r\n" + host + "a: " + strings.Repeat("b", 1<<17), 431},
		"long target":         {"GET /" + strings.Repeat("b", 1<<15) + " HTTP/1.1\r\n" + host + "\r\n", 414},
		"unknown coding":      {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
		"CONNECT":             {"CONNECT a:1 HTTP/1.1\r\n" + host + "\r\n", 501},
		"version":             {"GET / HTTP/3.0\r\n" + host + "\r\n", 505},
		"bad chunk":           {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", 400},
		"a good one behind":   {"GET / HTTP/1.1\r\n" + host + "a : b\r\n\r\nGET / HTTP/1.1\r\n" + host + "\r\n", 400},
		"TLS on a plain port": {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", 400},
		"Expect":              {"POST / HTTP/1.1\r\n" + host + "Expect: magic\r\nContent-Length: 1\r\n\r\n", 417},
	} {
		t.Run(name, func(t *testing.T) {
			p := s.dial().send(c.text)
			r := p.receive("GET")
			if r.Status != c.status || !r.Close {
				t.Errorf("got %d %v, want %d and close", r.Status, r.Header, c.status)
			}
			p.closed()
		})
	}
	if n, b := f.accepted.Load(), f.bytes.Load(); n != 0 || b != 0 {
		t.Errorf("the app got %d connections and %d bytes, want none", n, b)
	}
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		s := serve(t, Config{}, route(start(t, proto, 1, func(c *call) bool {
			c.ok(c.Method + " " + c.Target + " " + c.body())
			return true
		})))
		p := s.dial()
		big := strings.Repeat("b", maxHeld+1)
		p.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\ntwo" +
			"POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nthree\r\n0\r\n\r\n\r\n" +
			"POST /4 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nfour\r\n0\r\nX: y\r\n\r\n" +
			"POST /5 HTTP/1.1\r\nHost: a\r\nContent-Length: 32769\r\n\r\n" + big +
			"HEAD /6 HTTP/1.1\r\nHost: a\r\n\r\nGET /7 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		for i, want := range []string{"GET /1 ", "POST /2 two", "POST /3 three", "POST /4 four", "POST /5 " + big, "", "GET /7 "} {
			method := "GET"
			if i == 5 {
				method = "HEAD"
			}
			if r := p.receive(method); r.Status != 200 || r.Body != want {
				t.Fatalf("answer %d: got %d %.50q, want %.50q", i+1, r.Status, r.Body, want)
			}
		}
		p.closed()
	})
}

func TestOldClientsAreServed(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		s := serve(t, Config{}, route(start(t, proto, 1, func(c *call) bool {
			if c.Target == "/chunks" {
				c.reply("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nX: y\r\n\r\n")
			} else {
				c.ok("host=" + c.header("Host"))
			}
			return true
		})))
		p := s.dial().send("GET / HTTP/1.0\r\n\r\n")
		if r := p.receive("GET"); r.Status != 200 || !r.Close {
			t.Errorf("got %+v", r)
		}
		p.closed()
		p = s.dial().send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
		if r := p.receive("GET"); r.Status != 200 || r.Header.Get("Connection") != "keep-alive" {
			t.Errorf("got %+v", r)
		}
		p.send("GET /chunks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
		if r := p.receive("GET"); r.Body != "abcde" || r.Header.Get("Transfer-Encoding") != "" || !r.Close {
			t.Errorf("got %+v", r)
		}
		p.closed()
	})
}
