package proxy

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/proxy/accesslog"
	"passenger/lib/proxy/forwarded"
)

// ask sends a request with fields and returns what the app got.
func (s *server) ask(calls <-chan *call, fields ...string) *call {
	s.t.Helper()
	s.dial().send("GET / HTTP/1.1\r\nHost: a.test\r\n" + strings.Join(append(fields, "\r\n"), "\r\n")).receive("GET")
	return within(s.t, calls, "the call")
}

// X18: X-Forwarded-* is believed from the configured networks only.
func TestForwardedHeadersAreBelievedFromTrustedNetworksOnly(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		for _, test := range []struct {
			networks []string
			believed bool
		}{
			{nil, false}, {[]string{"10.0.0.0/8", "127.0.0.2"}, false}, {[]string{"::1", "::/0"}, false},
			{[]string{"127.0.0.1"}, true}, {[]string{"10.0.0.0/8", "127.0.0.0/8"}, true}, {[]string{"0.0.0.0/0"}, true},
		} {
			calls := make(chan *call, 1)
			s := serve(t, trust(t, test.networks...), toldAll(route(start(t, proto, 1, record(calls)))))
			c := s.ask(calls, "X-Forwarded-For: 9.9.9.9", "X-Forwarded-Proto: https", "X-Forwarded-Host: shop.test", "X-Request-Start: t=5.000", "X-Request-Id: given", "X-Real-IP: 9.9.9.9")
			got := strings.Join([]string{c.header("X-Forwarded-For"), c.header("X-Forwarded-Proto"), c.header("X-Forwarded-Host"), c.header("X-Real-Ip")}, " ")
			want := "127.0.0.1 http a.test "
			if test.believed {
				want = "9.9.9.9, 127.0.0.1 https shop.test 9.9.9.9"
			}
			if got != want {
				t.Errorf("trusting %q: got %q, want %q", test.networks, got, want)
			}
			if kept := c.header("X-Request-Start") == "t=5.000"; kept != test.believed {
				t.Errorf("trusting %q: got the start %q", test.networks, c.header("X-Request-Start"))
			}
			if kept := c.header("X-Request-Id") == "given"; kept != test.believed {
				t.Errorf("trusting %q: got the ID %q", test.networks, c.header("X-Request-Id"))
			}
		}
	})
}

// X21: what cannot be a host, a port or a scheme is none, even from a trusted
// proxy: it may pass on what its client said.
func TestForwardedHeadersThatMakeNoSenseAreIgnored(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		calls := make(chan *call, 1)
		trusting := serve(t, trust(t, "127.0.0.1"), toldAll(route(start(t, proto, 1, record(calls)))))
		for _, test := range []struct{ name, value, want string }{
			{"X-Forwarded-Host", "evil.test/path", "a.test"}, {"X-Forwarded-Host", "a b", "a.test"}, {"X-Forwarded-Host", "evil?x", "a.test"},
			{"X-Forwarded-Host", "user@evil.test", "a.test"}, {"X-Forwarded-Host", "evil#", "a.test"}, {"X-Forwarded-Host", "", "a.test"},
			{"X-Forwarded-Host", "one.test,", "a.test"}, {"X-Forwarded-Host", "one.test:80, two.test", "one.test:80, two.test"},
			{"X-Forwarded-Host", "[::1]:80", "[::1]:80"},
			{"X-Forwarded-Proto", "https;x", "http"}, {"X-Forwarded-Proto", "java script", "http"}, {"X-Forwarded-Proto", "HTTPS", "HTTPS"},
			{"X-Forwarded-Proto", "wss", "https"}, {"X-Forwarded-Proto", "WS", "http"}, {"X-Forwarded-Proto", "ws,wss, HTTP", "http, https, HTTP"},
			{"X-Forwarded-Proto", "https, http", "https, http"}, {"X-Forwarded-Proto", "", "http"},
			{"X-Forwarded-Port", "80x", "80"}, {"X-Forwarded-Port", "-1", "80"}, {"X-Forwarded-Port", "123456", "80"}, {"X-Forwarded-Port", "8080", "8080"},
		} {
			if got := trusting.ask(calls, test.name+": "+test.value).header(test.name); got != test.want {
				t.Errorf("%s: %s: got %q, want %q", test.name, test.value, got, test.want)
			}
		}
		s := serve(t, Config{}, toldAll(route(start(t, proto, 1, record(calls)))))
		for _, v := range []string{`for=9.9.9.9;host=evil`, `for="9.9.9.9;proto=https"`, `for=1, for=2`} {
			if got := s.ask(calls, "Forwarded: "+v).header("Forwarded"); got != "" {
				t.Errorf("Forwarded: %s: got %q from a stranger", v, got)
			}
		}
		for _, host := range []string{"a/b", "a?b", "a#b", "a b", "u@a"} {
			if r := s.dial().send("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n").receive("GET"); r.Status != 400 {
				t.Errorf("Host: %s: got %d", host, r.Status)
			}
		}
	})
}

// X22: what a Connection field names is taken away from what the client sent,
// not from what we add.
func TestConnectionFieldsTakeNothingOfOursAway(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		for _, networks := range [][]string{nil, {"127.0.0.1"}} {
			calls := make(chan *call, 1)
			config := trust(t, networks...)
			config.TraceParent = true
			s := serve(t, config, toldAll(route(start(t, proto, 1, record(calls)))))
			names := []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Request-Id", "X-Request-Start", "Host"}
			for _, spell := range []func(string) string{strings.Clone, strings.ToLower, strings.ToUpper} {
				c := s.ask(calls, "Connection: "+spell(strings.Join(names, ", ")), "Connection: traceparent,"+spell("Via"), "X-Forwarded-For: 9.9.9.9")
				for _, name := range append(names, "Traceparent") {
					if c.header(name) == "" {
						t.Errorf("trusting %q: %s is gone", networks, name)
					}
				}
				if want := "127.0.0.1"; !strings.HasSuffix(c.header("X-Forwarded-For"), want) {
					t.Errorf("trusting %q: got %q", networks, c.header("X-Forwarded-For"))
				}
			}
		}
	})
}

// X25: without X-Forwarded-For, and with empty ones, the app gets the address
// that we know and no empty element.
func TestEmptyChainsStayEmpty(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		calls := make(chan *call, 1)
		s := serve(t, trust(t, "127.0.0.1"), toldAll(route(start(t, proto, 1, record(calls)))))
		for _, fields := range [][]string{nil, {"X-Forwarded-For:"}, {"X-Forwarded-For: ", "X-Forwarded-For:"}} {
			if got := s.ask(calls, fields...).header("X-Forwarded-For"); got != "127.0.0.1" {
				t.Errorf("%q: got %q", fields, got)
			}
			p := dialPeer(t, "unix", s.unix)
			p.send("GET / HTTP/1.1\r\nHost: a.test\r\n" + strings.Join(append(fields, "\r\n"), "\r\n")).receive("GET")
			c := within(t, calls, "the call")
			if _, ok := c.Vars["HTTP_X_FORWARDED_FOR"]; ok || len(c.Header.Values("X-Forwarded-For")) > 0 {
				t.Errorf("%q over a unix socket: got %q", fields, c.header("X-Forwarded-For"))
			}
		}
	})
}

func TestTracesThatAreNoneAreBegunAnew(t *testing.T) {
	t.Parallel()
	const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for trace, valid := range map[string]bool{
		good: true, "01" + good[2:] + "-more": true, "cc" + good[2:]: true,
		good + "-more": false, "01" + good[2:] + "more": false, "ff" + good[2:]: false, "": false, "garbage": false, strings.ToUpper(good): false,
		"00-00000000000000000000000000000000-b7ad6b7169203331-01": false, "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01": false,
		strings.Replace(good, "-", "_", 1): false, good[:54]: false, "0x" + good[2:]: false,
	} {
		if got := forwarded.ValidTrace([]byte(trace)); got != valid {
			t.Errorf("%q: got %v", trace, got)
		}
	}
	both(t, func(t *testing.T, proto string) {
		for _, makes := range []bool{true, false} {
			calls := make(chan *call, 1)
			s := serve(t, Config{TraceParent: makes}, toldAll(route(start(t, proto, 1, record(calls)))))
			if got := s.ask(calls, "Traceparent: garbage").header("Traceparent"); forwarded.ValidTrace([]byte(got)) != makes || !makes && got != "garbage" {
				t.Errorf("making them %v: got %q", makes, got)
			}
		}
	})
}

// The time in the queue is the same wherever it is told, and counts from when
// the request came.
func TestTheTimeInTheQueueIsTold(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		g := newGate()
		f := start(t, proto, 1, g.answer)
		var told float64
		const wait = 30 * time.Millisecond
		var began, ended time.Time
		log := loggedWith(t, Config{ServerTiming: true}, accesslog.JSON, []protocol.Route{toldAll(route(f))}, func(s *server) {
			first := s.dial().send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
			within(t, g.came, "the first call")
			began = time.Now()
			second := s.dial().send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
			eventually(t, "the second in the queue", func() bool { return s.queued() == 1 })
			for since := time.Now(); time.Since(since) < wait; { // it may have come late
				time.Sleep(time.Millisecond)
			}
			ended = time.Now()
			g.open()
			first.receive("GET")
			c := within(t, g.came, "the second call")
			var seconds float64
			if _, err := fmt.Sscanf(c.header("X-Request-Start"), "t=%f", &seconds); err != nil {
				t.Errorf("%q: %v", c.header("X-Request-Start"), err)
			}
			if at := time.UnixMilli(int64(seconds*1000 + 0.5)); at.Before(began.Add(-time.Millisecond)) || at.After(ended) {
				t.Errorf("the request came between %v and %v, the app is told %v", began, ended, at)
			}
			text := strings.TrimPrefix(second.receive("GET").Header.Get("Server-Timing"), "queue;dur=")
			var err error
			if told, err = strconv.ParseFloat(text, 64); err != nil || told < wait.Seconds()*1000/2 {
				t.Errorf("the client is told %q, %v; it waited %v and longer", text, err, wait)
			}
		})
		lines := strings.Split(strings.TrimSpace(log), "\n")
		for _, text := range lines {
			var line map[string]any
			if err := json.Unmarshal([]byte(text), &line); err != nil {
				t.Fatal(err)
			}
			if line["url.original"] != "/2" {
				continue
			}
			if got, ok := line["passenger.queue_seconds"].(float64); !ok || got*1000 < told-0.01 || got*1000 > told+0.01 {
				t.Errorf("the log has %v, the client was told %v ms", line["passenger.queue_seconds"], told)
			}
			return
		}
		t.Errorf("the request is not in the log: %q", lines)
	})
}
