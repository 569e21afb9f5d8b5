package proxy

import (
	"strings"
	"testing"

	"passenger/lib/control"
	"passenger/lib/protocol"
)

// metric returns the value of a sample as text, empty if there is none.
func (s *server) metric(sample string) string {
	var m control.Metrics
	s.metrics(&m)
	for line := range strings.Lines(string(m.Text())) {
		if value, ok := strings.CutPrefix(line, "passenger_proxy_"+sample+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func (s *server) wantMetrics(want map[string]string) {
	s.t.Helper()
	for sample, value := range want {
		eventually(s.t, sample+" is "+value, func() bool { return s.metric(sample) == value })
	}
}

// Whatever becomes of a request, a metric tells.
func TestMetricsTellHowRequestsEnded(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		f := start(t, proto, 1, func(c *call) bool {
			switch c.Target {
			case "/app/500":
				c.reply("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")
			case "/app/half":
				c.reply("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
				return false
			case "/app/chunk":
				c.reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n")
				return false
			case "/app/dead":
				return false
			case "/app/garbage":
				c.reply("garbage\r\n\r\n")
				return false
			default:
				c.ok("fine")
			}
			return true
		})
		r := route(f)
		r.BaseURI, r.Processes[0].Slot = "/app", 3
		s := serve(t, Config{}, r)
		for _, path := range []string{"/app", "/app/500", "/app/half", "/app/chunk", "/app/dead", "/app/garbage", "/nowhere"} {
			s.dial().get(path)
		}
		p := s.dial().send("GET /app HTTP/1.1\r\n\r\n")
		p.receive("GET")
		p.Close()
		s.wantMetrics(map[string]string{
			`responses_total{app="app",status="2xx"}`: "2",
			`responses_total{app="app",status="5xx"}`: "4",
			`responses_total{app="",status="4xx"}`:    "2",
			`errors_total{app="app"}`:                 "5",
			`requests_total{app="app"}`:               "6",
			`abandoned_total{app="app"}`:              "0",
			`sessions_total{app="app",slot="3"}`:      "6",
			`in_flight{app="app",slot="3"}`:           "0",
			`access_log_missing_total`:                "",
		})
	})
}

func TestMetricsTellOfTheQueue(t *testing.T) {
	t.Parallel()
	g := newGate()
	f := start(t, protocol.ProtocolSession, 1, g.answer)
	s := serve(t, Config{}, route(f))
	first := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	within(t, g.came, "the first call")
	second := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	eventually(t, "the second waits", func() bool { return s.queued() == 1 })
	gone := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	eventually(t, "the third waits", func() bool { return s.queued() == 2 })
	gone.Close()
	s.wantMetrics(map[string]string{`abandoned_total{app="app"}`: "1", `queued{app="app"}`: "1"})
	g.open()
	first.receive("GET")
	second.receive("GET")
	s.wantMetrics(map[string]string{`waits_total{app="app"}`: "1", `queued{app="app"}`: "0"})
	if v := s.metric(`wait_seconds_total{app="app"}`); v == "" || v == "0" {
		t.Errorf("got a wait of %q seconds", v)
	}
}
