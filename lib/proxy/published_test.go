package proxy

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"passenger/lib/protocol"
)

// Vulnerabilities that were published of servers like this one, as cases. The
// ids are those of the project's list of them: X of proxies, P of Phusion
// Passenger itself. Other cases of the list are tests of their own, which name
// the id. X17 is of a loop over select(2) that we do not have, and X43 of a
// server that none was published of.

// What follows on the connection is never read as a request, so that nothing
// can be smuggled in it.
func TestPublishedRequestsAreRefused(t *testing.T) {
	t.Parallel()
	f := start(t, protocol.ProtocolHTTP, 0, say("no"))
	s := serve(t, Config{}, route(f))
	const (
		post  = "POST / HTTP/1.1\r\nHost: a\r\n"
		get   = "GET / HTTP/1.1\r\nHost: a\r\n"
		after = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
	)
	chunked := func(body string) string { return post + "Transfer-Encoding: chunked\r\n\r\n" + body }
	for id, texts := range map[string][]string{
		"X2 Puma 2020-11076, 2020-11077": {
			post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
		},
		"X4 Puma 2021-41136": {
			"POST / HTTP/1.1\r\nHost: a\nContent-Length: 5\r\n\r\nhello", get + "a: b\nc: d\r\n\r\n",
		},
		"X6 Puma 2022-24790": {
			post + "Content-Length: +5\r\n\r\nhello", post + "Content-Length: 0x5\r\n\r\nhello", post + "Content-Length: 5,5\r\n\r\nhello",
			post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", post + "Content-Length: 5 5\r\n\r\nhello", post + "Content-Length: 99999999999999999999\r\n\r\nhello",
		},
		"X7 Puma 2023-40175": {
			post + "Content-Length:\r\n\r\n", chunked("0\r\nContent-Length 5\r\n\r\n"), chunked("0\r\n a: b\r\n\r\n"),
		},
		"X8 Puma 2024-21647": {
			chunked("1;" + strings.Repeat("a=b;", 16<<10) + "\r\na\r\n0\r\n\r\n"),
			chunked(strings.Repeat("1;"+strings.Repeat("a", 1000)+"\r\na\r\n", 1000)),
		},
		"X13 Gunicorn 2024-1135, 2024-6827": {
			post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", post + "Transfer-Encoding: chunked, gzip\r\nContent-Length: 5\r\n\r\nhello",
			post + "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		},
		"X15 Waitress 2019-16785, 16786, 16789, 16792": {
			post + "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n", post + "Transfer-Encoding: \x85chunked\r\n\r\n0\r\n\r\n", post + "Transfer-Encoding: \xa0chunked\r\n\r\n0\r\n\r\n",
			post + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", post + "Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello",
		},
		"X19 aiohttp 2023-47627": {
			chunked("0x1\r\na\r\n0\r\n\r\n"), chunked("1_0\r\n0123456789abcdef\r\n0\r\n\r\n"), chunked("+1\r\na\r\n0\r\n\r\n"), chunked("-1\r\na\r\n0\r\n\r\n"), chunked("\r\n0\r\n\r\n"),
		},
		"X20 2026-48710": {
			"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a?b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a#b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: [ab..cd::ef98]\r\n\r\n", "GET / HTTP/1.1\r\nHost: [1.2.3.4]\r\n\r\n", "GET / HTTP/1.1\r\nHost: [::1::2]\r\n\r\n", "GET / HTTP/1.1\r\nHost: [12345::]\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: [fe80::1%eth0]\r\n\r\n", "GET / HTTP/1.1\r\nHost: [1:2:3:4:5:6:7]\r\n\r\n", "GET / HTTP/1.1\r\nHost: [v1.a]\r\n\r\n", "GET / HTTP/1.1\r\nHost: [::1.2.3.999]:80\r\n\r\n",
		},
		"X28 Go 2023-29406": {
			"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\x01\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\xff\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		},
		"X29 Go 2023-39326, 2025-22871": {
			chunked("1\na\r\n0\r\n\r\n"), chunked("1;a\nb\r\na\r\n0\r\n\r\n"), chunked("1 \r\na\r\n0\r\n\r\n"),
		},
		"X34 Apache 2021-40438, 2011-3368": {
			"GET @b/ HTTP/1.1\r\nHost: a\r\n\r\n", "GET :80/ HTTP/1.1\r\nHost: a\r\n\r\n", "GET unix:" + strings.Repeat("A", 5000) + "|http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
			"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n", "GET http://a/ HTTP/1.1\r\nHost: a:443\r\n\r\n",
		},
	} {
		t.Run(id, func(t *testing.T) {
			for _, text := range texts {
				p := s.dial()
				// The answer may come, and the connection end, before all is sent.
				go io.WriteString(p.Conn, text+after)
				r := p.receive("GET")
				if r.Status < 400 || r.Status > 501 || !r.Close {
					t.Errorf("%.80q: got %d, close %v", text, r.Status, r.Close)
				}
				p.closed()
			}
		})
	}
	if n := f.requests.Load(); n != 0 {
		t.Errorf("%d requests reached the app", n)
	}
}

// X3, X12: what an app puts into its head adds no line to it. (A whole CR LF in
// a value cannot be told from two fields; adapters check that.)
func TestPublishedResponsesAreRefused(t *testing.T) {
	t.Parallel()
	for _, head := range []string{
		"HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: evil=1\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: a\nSet-Cookie: evil=1\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\nLink: a\rSet-Cookie: evil=1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n",
	} {
		s := serve(t, Config{}, route(start(t, "http", 0, func(c *call) bool { c.reply("%s", head); return false })))
		if r := s.dial().get("/"); r.Status != 502 || strings.Contains(fmt.Sprint(r.Header), "evil") {
			t.Errorf("%q: got %d %v", head, r.Status, r.Header)
		}
	}
}

// X1, Puma 2019-16770, 2021-29509: clients that ask back to back on connections
// that they keep leave room for a new one.
func TestNewConnectionsGetTheirTurn(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		s := serve(t, Config{}, route(start(t, proto, 1, say("ok"))))
		var wg sync.WaitGroup
		stop := make(chan struct{})
		for range 20 {
			p := s.dial()
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						p.get("/")
					}
				}
			})
		}
		for range 20 {
			if r := s.dial().get("/"); r.Body != "ok" {
				t.Errorf("got %+v", r)
			}
		}
		close(stop)
		wg.Wait()
	})
}

// X5, Puma 2022-23634, has its test in the adapters, which close a body that
// nobody waits for.

// X9, Puma 2024-45614, and P5, 2015-7519: no spelling of a name becomes that of
// a header of ours, or of a variable of CGI.
func TestNamesDoNotCollide(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		calls := make(chan *call, 1)
		s := serve(t, Config{}, route(start(t, proto, 1, record(calls))))
		var b strings.Builder
		for _, name := range []string{"X-Forwarded_For", "X_Forwarded-For", "x_forwarded_for", "X.Forwarded.For", "Remote_User", "REMOTE_USER", "Content_Length",
			"Content_Type", "HTTP_HOST", "HTTP_X_FORWARDED_FOR", "Transfer_Encoding", "X-Request_Id", "Script_Name", "Path_Info", "Https_", "X!Real!Ip"} {
			fmt.Fprintf(&b, "%s: evil\r\n", name)
		}
		s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n" + b.String() + "\r\n").receive("GET")
		c := within(t, calls, "the call")
		if all := fmt.Sprint(c.Header, c.Vars); strings.Contains(all, "evil") {
			t.Errorf("got %s", all)
		}
	})
}

// X16, Waitress 2020-5236, X31, Go 2025-58186, and P14, Passenger 2025-26803:
// bad input costs no more than its length, and no memory that stays.
func TestBadInputIsCheap(t *testing.T) {
	const most = 20 * time.Second // for what takes milliseconds, or hours
	f := start(t, "http", 0, say("ok"))
	s := serve(t, Config{}, route(f))
	var texts []string
	for c := range 256 {
		if !strings.ContainsRune("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", rune(c)) {
			texts = append(texts, "GE"+string([]byte{byte(c)})+"T / HTTP/1.1\r\nHost: a\r\n\r\n")
		}
	}
	for _, n := range []int{33, 1 << 10, 64 << 10} {
		texts = append(texts, strings.Repeat("M", n)+" / HTTP/1.1\r\nHost: a\r\n\r\n")
	}
	texts = append(texts,
		"GET / HTTP/1.1\r\nHost: a\r\nX: "+strings.Repeat(" \t", 30<<10)+"\x01\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nCookie: "+strings.Repeat("a=b; ", 12<<10)+"\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n"+strings.Repeat("Cookie: a=b\r\n", 5000)+"\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: "+strings.Repeat("a,", 30<<10)+"close\r\n\r\n")
	began := time.Now()
	for range 10 {
		for _, text := range texts {
			p := s.dial()
			go io.WriteString(p.Conn, text)
			if r := p.receive("GET"); r.Status < 200 {
				t.Errorf("%.40q: got %+v", text, r)
			}
			p.Close()
		}
	}
	if took := time.Since(began); took > most {
		t.Errorf("%d bad requests took %v", 10*len(texts), took)
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	if m.HeapInuse > 100<<20 {
		t.Errorf("%d MB stay", m.HeapInuse>>20)
	}
	if r := s.dial().get("/"); r.Body != "ok" {
		t.Errorf("afterwards: got %+v", r)
	}
}

// X24, Go 2022-2880, X41, Apache 2024-38473, and P15: the target reaches the app
// byte for byte, whatever it would mean decoded.
func TestTargetsArePassedOnRaw(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		s := serve(t, Config{}, route(start(t, proto, 1, func(c *call) bool {
			target := c.Target
			if c.Vars != nil {
				target = c.Vars["REQUEST_URI"]
				if whole := c.Vars["PATH_INFO"] + "?" + c.Vars["QUERY_STRING"]; strings.TrimSuffix(whole, "?") != target {
					t.Errorf("got path and query %q of %q", whole, target)
				}
			}
			c.ok(target)
			return true
		})))
		p := s.dial()
		for _, target := range []string{"/%2e%2e/", "//", "//evil.test/x", "/;x", "/%2F", "/%3Fa", "/%00", "/a?b;c", "/a?%zz", "/a?" + strings.Repeat("a&", 2000), "/a/./b/../c", "/%E2%82%AC", "/a%0d%0aX:%20y"} {
			if proto == "http" && strings.Contains(target, "%zz") {
				continue // Go's own parser, which the fake has, refuses it
			}
			if r := p.get(target); r.Body != target {
				t.Errorf("%.40s: the app got %.40q", target, r.Body)
			}
		}
	})
}

// X33, Go 2026-39821, X34 and X39, Caddy 2026-27587, 27588: which app answers
// goes by the host as it is written, but for its case, its port and a final
// dot, and by the path as it is written. Nothing else chooses.
func TestOnlyHostAndPathChooseTheApp(t *testing.T) {
	t.Parallel()
	mine, other := route(start(t, "http", 0, say("mine"))), route(start(t, "http", 0, say("other")))
	mine.App, mine.ServerNames = "mine", []string{"example.com"}
	admin := route(start(t, "http", 0, say("admin")))
	admin.App, admin.ServerNames, admin.BaseURI = "admin", []string{"example.com"}, "/admin"
	other.App = "other"
	s := serve(t, Config{}, mine, admin, other)
	for _, c := range []struct{ target, host, want string }{
		{"/", "example.com", "mine"}, {"/", "EXAMPLE.com", "mine"}, {"/", "example.com.", "mine"}, {"/", "example.com:81", "mine"},
		{"/", "xn--example-.com", "other"}, {"/", "example.com.evil", "other"}, {"/", "evil.example.com", "other"},
		{"http://example.com/", "example.com", "mine"}, {"http://EXAMPLE.com:80/", "example.com", "mine"}, {"//example.com/", "evil", "other"},
		{"/admin", "example.com", "admin"}, {"/admin/x", "example.com", "admin"}, {"/administrator", "example.com", "mine"},
		{"/ADMIN", "example.com", "mine"}, {"/%61dmin", "example.com", "mine"}, {"/x/../admin", "example.com", "mine"}, {"//admin", "example.com", "mine"},
	} {
		r := s.dial().send("GET " + c.target + " HTTP/1.1\r\nHost: " + c.host + "\r\n\r\n").receive("GET")
		if r.Body != c.want {
			t.Errorf("%s at %s: got %q, want %q", c.target, c.host, r.Body, c.want)
		}
	}
}

// X36, Traefik 2026-71324: a connection on which the app refused to switch
// protocols carries no other request that the client smuggled behind.
func TestRefusedUpgradesLeaveTheConnectionAlone(t *testing.T) {
	t.Parallel()
	f := start(t, "http", 1, func(c *call) bool {
		c.reply("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
		return true
	})
	s := serve(t, Config{}, route(f))
	p := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: evil\r\n\r\n")
	if r := p.receive("GET"); r.Status != 403 {
		t.Errorf("got %+v", r)
	}
	for i := range 3 {
		if r := s.dial().get("/"); r.Status != 403 {
			t.Errorf("request %d after it: got %+v", i, r)
		}
	}
	if n := f.accepted.Load(); n < 2 {
		t.Error("the upgraded connection was used again")
	}
}

// X42, Apache 2014-0117: no Connection header upsets anything.
func TestOddConnectionHeaders(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		s := serve(t, Config{}, route(start(t, proto, 1, say("ok"))))
		for _, value := range []string{"", ",", ",,,", "close,close", "\"", "upgrade, upgrade", "host", "content-length, transfer-encoding", ";", "keep-alive;x", strings.Repeat(",", 5000)} {
			if r := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\nConnection: " + value + "\r\nUpgrade: x\r\n\r\n").receive("GET"); r.Status != 200 {
				t.Errorf("%.20q: got %+v", value, r)
			}
		}
		r := s.dial().send("POST / HTTP/1.1\r\nHost: a\r\nConnection: content-length\r\nContent-Length: 2\r\n\r\nhi").receive("POST")
		if r.Status != 200 && r.Status != 400 {
			t.Errorf("a length that is named there: got %+v", r)
		}
	})
}

// X32, Go 2020-15586: an app that reads no byte of a body that the client holds
// back, and others that do; for the race detector.
func TestBodiesThatNobodyReads(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		s := serve(t, Config{}, route(start(t, proto, 4, func(c *call) bool { c.ok("ok"); return false })))
		var wg sync.WaitGroup
		for range 30 {
			p := s.dial()
			wg.Go(func() {
				p.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 100000\r\n\r\n")
				r := p.receive("POST")
				if r.Status == 100 {
					_, _ = p.Write(bytes.Repeat([]byte("a"), 50000)) // refused is right
					r = p.receive("POST")
				}
				if r.Body != "ok" {
					t.Errorf("got %+v", r)
				}
			})
		}
		wg.Wait()
	})
}

// X30, Go 2024-24791: expectations, those that are none, and what follows an
// answer that comes before the body.
func TestExpectations(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		f := start(t, proto, 0, func(c *call) bool {
			if c.Target == "/early" {
				c.reply("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
				return true // with its body unread
			}
			if c.Target == "/smuggled" {
				t.Error("a body was taken for a request")
			}
			c.ok(c.Target + c.body())
			return true
		})
		r := route(f)
		r.MaxBodySize = 1_000_000
		s := serve(t, Config{}, r)
		for _, value := range []string{"y 100-continue", "100-continue y", "100-continue, y", "y", "100-continue-2", "\"100-continue\""} {
			r := s.dial().send("POST / HTTP/1.1\r\nHost: a\r\nExpect: " + value + "\r\nContent-Length: 1\r\n\r\n").receive("POST")
			if r.Status != 417 || !r.Close {
				t.Errorf("%q: got %+v, want 417", value, r)
			}
		}
		if n := f.requests.Load(); n != 0 {
			t.Errorf("the app got %d requests", n)
		}
		// Without a body there is nothing to wait for, so no 100 comes.
		p := s.dial()
		for _, head := range []string{"GET /none HTTP/1.1", "POST /none HTTP/1.1\r\nContent-Length: 0"} {
			method, _, _ := strings.Cut(head, " ")
			if r := p.send(head + "\r\nHost: a\r\nExpect: 100-continue\r\n\r\n").receive(method); r.Status != 200 || r.Body != "/none" {
				t.Errorf("%q: got %+v", head, r)
			}
		}
		// After an early answer nobody knows whether a body comes: what does is
		// not the next request, and no process takes it for one.
		for range 50 {
			for _, head := range []string{"POST /long HTTP/1.1\r\nContent-Length: 1000001", "POST /early HTTP/1.1\r\nContent-Length: 1000000"} {
				p := s.dial().send(head + "\r\nHost: a\r\nExpect: 100-continue\r\n\r\n")
				r := p.receive("POST")
				if r.Status == 100 {
					r = p.receive("POST")
				}
				if r.Status != 403 && r.Status != 413 || !r.Close {
					t.Fatalf("%q: got %+v, want an early answer that ends the connection", head, r)
				}
				_, _ = io.WriteString(p, "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n") // refused is right
				if p.Close(); s.dial().get("/normal").Body != "/normal" {
					t.Fatal("the next request was harmed")
				}
			}
		}
		// One that was asked for its body goes on.
		p = s.dial().send("POST /next HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
		if r := p.receive("POST"); r.Status != 100 {
			t.Errorf("got %+v, want 100", r)
		}
		p.send("ok")
		if r := p.receive("POST"); r.Body != "/nextok" {
			t.Errorf("got %+v", r)
		}
		if r := p.get("/again"); r.Body != "/again" {
			t.Errorf("on the same connection: got %+v", r)
		}
	})
}
