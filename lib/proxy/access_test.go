package proxy

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"passenger/lib/protocol"
	"passenger/lib/proxy/accesslog"
	"passenger/lib/proxy/fronted"
)

// logged serves with an access log and returns what is in it once the proxy
// has stopped.
func logged(t *testing.T, format accesslog.Format, routes []protocol.Route, requests func(*server)) string {
	t.Helper()
	return loggedWith(t, Config{}, format, routes, requests)
}

// loggedWith is logged with more of a configuration.
func loggedWith(t *testing.T, c Config, format accesslog.Format, routes []protocol.Route, requests func(*server)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "access.log")
	l, err := accesslog.Open(path, format)
	if err != nil {
		t.Fatal(err)
	}
	c.AccessLog = l
	s := serve(t, c, routes...)
	requests(s)
	s.cancel()
	within(t, s.stopped, "the proxy stops")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	l.Run(ctx)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAccessLogFormats(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		routes := []protocol.Route{route(start(t, proto, 1, say("hello")))}
		ask := func(s *server) {
			s.dial().send("GET /a?b HTTP/1.1\r\nHost: a\r\nReferer: http://x/\r\nUser-Agent: curl\r\nConnection: close\r\n\r\n").receive("GET")
		}
		const when = `\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]`
		const common = `127\.0\.0\.1 - - ` + when + ` "GET /a\?b HTTP/1\.1" 200 5`
		for format, want := range map[accesslog.Format]string{
			accesslog.Common: common, accesslog.Combined: common + ` "http://x/" "curl"`,
			accesslog.VHost: `a ` + common + ` "http://x/" "curl" app 0\.\d{3}`,
		} {
			if got := logged(t, format, routes, ask); !regexp.MustCompile(`^` + want + `\n$`).MatchString(got) {
				t.Errorf("%s: got %q", format, got)
			}
		}
		var line map[string]any
		if err := json.Unmarshal([]byte(logged(t, accesslog.JSON, routes, ask)), &line); err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]any{
			"http.request.method": "GET", "url.original": "/a?b", "url.domain": "a", "http.response.status_code": 200.0,
			"http.response.body.bytes": 5.0, "source.ip": "127.0.0.1", "user_agent.original": "curl",
			"http.request.referrer": "http://x/", "service.name": "app", "process.pid": 1.0, "http.version": "1.1",
		} {
			if line[key] != want {
				t.Errorf("%s: got %v, want %v", key, line[key], want)
			}
		}
	})
}

func TestAccessLogHasDomainAndPortApart(t *testing.T) {
	t.Parallel()
	routes := []protocol.Route{route(start(t, protocol.ProtocolHTTP, 1, say("ok")))}
	for _, c := range []struct {
		host, domain string
		port         any
	}{
		{"shop.example:8080", "shop.example", 8080.0},
		{"[::1]:8080", "[::1]", 8080.0},
		{"[::1]", "[::1]", nil},
		{"shop.example:", "shop.example", nil},
	} {
		text := logged(t, accesslog.JSON, routes, func(s *server) {
			s.dial().send("GET / HTTP/1.1\r\nHost: " + c.host + "\r\nConnection: close\r\n\r\n").receive("GET")
		})
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if line["url.domain"] != c.domain || line["url.port"] != c.port {
			t.Errorf("%s: got %v and %v", c.host, line["url.domain"], line["url.port"])
		}
	}
}

func TestAccessLogHasTheUserOfAWebServer(t *testing.T) {
	t.Parallel()
	x := newExchange()
	x.client = &client{proxy: New(Config{Timeouts: quick}), headers: &fronted.Headers{}}
	x.reset()
	if done, err := x.req.Parse([]byte("GET / HTTP/1.1\r\nHost: a\r\n!~REMOTE_USER: ann\r\n\r\n")); !done || err != nil {
		t.Fatal(done, err)
	}
	if err := x.client.headers.Read(&x.req.Request, ""); err != nil {
		t.Fatal(err)
	}
	if got := (*outcome)(x).record(nil).User; string(got) != "ann" {
		t.Errorf("got %q", got)
	}
}

// X14: nothing in a request ends its field or its line, or is a command to a
// terminal.
func TestAccessLogEscapes(t *testing.T) {
	t.Parallel()
	routes := []protocol.Route{route(start(t, protocol.ProtocolHTTP, 1, say("ok")))}
	ask := func(s *server) {
		s.dial().send("GET /\"%1b HTTP/1.1\r\nHost: a\r\nUser-Agent: a\"b\\c\td\xe9\r\nConnection: close\r\n\r\n").receive("GET")
	}
	got := logged(t, accesslog.Combined, routes, ask)
	if !strings.Contains(got, `"GET /\"%1b HTTP/1.1" 200 2 "-" "a\"b\\c\x09d\xe9"`+"\n") {
		t.Errorf("got %q", got)
	}
	var line map[string]any
	if err := json.Unmarshal([]byte(logged(t, accesslog.JSON, routes, ask)), &line); err != nil {
		t.Fatal(err)
	}
	if line["user_agent.original"] != "a\"b\\c\tdé" {
		t.Errorf("got %q", line["user_agent.original"])
	}
}

func TestAccessLogHasOurOwnAnswersToo(t *testing.T) {
	t.Parallel()
	got := logged(t, accesslog.Common, nil, func(s *server) {
		s.dial().send("GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").receive("GET")
		s.dial().send("\x00\r\n\r\n").receive("GET")
		s.dial().Close()
		s.dial().send("HEAD /bad HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n").receive("HEAD")
	})
	if !strings.Contains(got, `"HEAD /bad HTTP/1.1" 400 0`+"\n") || !strings.Contains(got, `"GET /none HTTP/1.1" 404 `) || !strings.Contains(got, `] "-" 400 `) || strings.Count(got, "\n") != 3 {
		t.Errorf("got %q", got)
	}
}

func TestAccessLogOfNoHostAndNoApp(t *testing.T) {
	t.Parallel()
	got := logged(t, accesslog.VHost, nil, func(s *server) {
		s.dial().send("GET /none HTTP/1.1\r\nHost: b:80\r\nConnection: close\r\n\r\n").receive("GET")
		s.dial().send("\x00\r\n\r\n").receive("GET")
	})
	if !regexp.MustCompile(`(?m)^b:80 .* "GET /none HTTP/1.1" 404 .* - 0\.\d{3}$`).MatchString(got) || !regexp.MustCompile(`(?m)^- .* "-" 400 .* - \d\.\d{3}$`).MatchString(got) {
		t.Errorf("got %q", got)
	}
}

func BenchmarkProxyAccessLog(b *testing.B) {
	l, err := accesslog.Open(filepath.Join(b.TempDir(), "log"), accesslog.Combined)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go l.Run(ctx)
	s := serve(b, Config{AccessLog: l}, route(instant(b, protocol.ProtocolHTTP)))
	r := newRoundTrip(b, s)
	b.ReportAllocs()
	for b.Loop() {
		r.do(b)
	}
}

// A line has all that the Elastic Common Schema names of a request, its message
// without the query, which may be private.
func TestAccessLogInTheWordsOfECS(t *testing.T) {
	t.Parallel()
	routes := []protocol.Route{route(start(t, protocol.ProtocolHTTP, 1, say("ok")))}
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	ask := func(target, more string) map[string]any {
		text := loggedWith(t, Config{TraceParent: true}, accesslog.JSON, routes, func(s *server) {
			s.dial().send(target + "\r\nHost: a\r\n" + more + "Connection: close\r\n\r\n").receive("GET")
		})
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		return line
	}
	good := ask("GET /cart?id=1&x=\" HTTP/1.1", "Traceparent: 00-"+trace+"-00f067aa0ba902b7-01\r\n")
	bad := ask("GET /cart?id=1 HTTP/1.1", "X : y\r\n")
	for _, c := range []struct {
		line map[string]any
		want map[string]any
	}{
		{good, map[string]any{
			"message": "GET /cart 200", "log.level": "info", "event.outcome": "success", "client.ip": "127.0.0.1", "trace.id": trace,
			"url.path": "/cart", "url.query": `id=1&x="`, "tls.version": nil,
		}},
		{bad, map[string]any{"message": "GET /cart 400", "log.level": "info", "event.outcome": "failure", "http.response.status_code": 400.0}},
		{ask("GET / HTTP/1.1", "Traceparent: 00-"+trace+"-0-01\r\n"), map[string]any{"url.query": nil, "url.path": "/"}},
	} {
		for key, want := range c.want {
			if got := c.line[key]; got != want {
				t.Errorf("%s: got %v, want %v", key, got, want)
			}
		}
	}
	if fresh := ask("GET / HTTP/1.1", ""); fresh["trace.id"] == nil || fresh["trace.id"] != fresh["http.request.id"] {
		t.Errorf("got trace %v of request %v, want the one that began here", fresh["trace.id"], fresh["http.request.id"])
	}
}

func TestAccessLogSaysHowTLSWas(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "access.log")
	l, err := accesslog.Open(path, accesslog.JSON)
	if err != nil {
		t.Fatal(err)
	}
	s, addr := serveTLS(t, Config{AccessLog: l}, route(start(t, protocol.ProtocolHTTP, 1, say("ok"))))
	over(t, addr, func(t *testing.T, c *http.Client, _ string) {
		resp, err := c.Get("https://" + addr + "/")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	})
	s.cancel()
	within(t, s.stopped, "the proxy stops")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	l.Run(ctx)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"tls.version_protocol":"tls","tls.version":"1.3","tls.cipher":"TLS_`, `"tls.client.server_name":"a.test"`, `"tls.next_protocol":"h2","tls.resumed":false`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("got %s, want %s in it", b, want)
		}
	}
	if n := strings.Count(string(b), `"tls.version":"1.3"`); n != 2 {
		t.Errorf("got %d lines with TLS, want one over HTTP/1.1 and one over HTTP/2: %s", n, b)
	}
}
