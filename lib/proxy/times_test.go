package proxy

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"passenger/lib/control"
	"passenger/lib/protocol"
)

// Each request is counted once in each histogram that it belongs to.
func TestTimesOfRequests(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		f := start(t, proto, 1, func(c *call) bool {
			if c.Target == "/app/500" {
				c.reply("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")
			} else {
				c.ok("fine")
			}
			return true
		})
		r := route(f)
		r.BaseURI = "/app"
		s := serve(t, Config{}, r)
		for _, sample := range []string{`queue_wait_seconds_count{app="app"}`, `requests_total{app="app"}`} {
			if v := s.metric(sample); v != "" {
				t.Errorf("got %s %s of an app without requests, want none", sample, v)
			}
		}
		for _, path := range []string{"/app", "/app/500", "/app", "/nowhere"} {
			s.dial().get(path)
		}
		s.wantMetrics(map[string]string{
			`request_duration_seconds_count{app="app",status="2xx"}`:            "2",
			`request_duration_seconds_bucket{app="app",status="2xx",le="+Inf"}`: "2",
			`request_duration_seconds_count{app="app",status="5xx"}`:            "1",
			`request_duration_seconds_count{app="app",status="4xx"}`:            "",
			`request_duration_seconds_count{app="",status="4xx"}`:               "",
			`queue_wait_seconds_count{app="app"}`:                               "3",
			`queue_wait_seconds_bucket{app="app",le="0.005"}`:                   "3",
			`queue_wait_seconds_sum{app="app"}`:                                 "0",
			`first_byte_seconds_count{app="app"}`:                               "3",
		})
	})
}

// A request that waited counts with its wait, whether it got a process or not.
func TestTimesOfTheQueue(t *testing.T) {
	t.Parallel()
	g := newGate()
	f := start(t, protocol.ProtocolSession, 1, g.answer)
	r := route(f)
	r.QueueTime = 0.02
	s := serve(t, Config{}, r)
	first := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	within(t, g.came, "the first call")
	if got := s.dial().get("/"); got.Status != 504 {
		t.Fatalf("got status %d, want 504", got.Status)
	}
	g.open()
	first.receive("GET")
	s.wantMetrics(map[string]string{
		`queue_wait_seconds_count{app="app"}`:             "2",
		`queue_wait_seconds_bucket{app="app",le="0.005"}`: "1",
		`first_byte_seconds_count{app="app"}`:             "1",
	})
}

// A thousand apps, all with traffic of every kind, are scraped in no time.
func TestThousandAppsAreScraped(t *testing.T) {
	const apps, processes = 1000, 4
	table := &protocol.Routes{Version: 1}
	for i := range apps {
		r := &protocol.Route{App: fmt.Sprintf("app%d", i), ServerNames: []string{fmt.Sprintf("app%d.example", i)}, BaseURI: "/"}
		for j := range processes {
			r.Processes = append(r.Processes, protocol.RouteProcess{ID: fmt.Sprintf("p%dx%d", i, j), Slot: j + 1, Address: "unix:/nowhere", Generation: 1})
		}
		table.Apps = append(table.Apps, r)
	}
	p := New(Config{Timeouts: Timeouts{Header: time.Second, Body: time.Second, Idle: time.Second, Write: time.Second, HalfClose: time.Second}})
	p.SetRoutes(table)
	for _, a := range p.allApps() {
		x := &exchange{client: &client{proxy: p}, took: time.Second}
		x.session.req, x.req.client = &x.req, x.client
		x.req.mount = &mount{app: a}
		x.session.waited = time.Second
		for _, status := range []int{0, 200, 302, 404, 500} {
			x.answer.status = status
			(*outcome)(x).count()
		}
		x.session.countFirstByte()
	}
	began := time.Now()
	var m control.Metrics
	p.metrics(&m)
	text := m.Text()
	lines := bytes.Count(text, []byte("\n"))
	t.Logf("%d lines, %d bytes in %v", lines, len(text), time.Since(began))
	// What a scrape takes goes with its size, whatever the machine.
	if lines > 60000 || len(text) > 5<<20 {
		t.Errorf("got %d lines of %d bytes, want 60,000 and 5 MB at most", lines, len(text))
	}
	if !bytes.Contains(text, []byte(`passenger_proxy_first_byte_seconds_count{app="*"}`)) {
		t.Error("got nothing of the apps beyond the bound")
	}
}

// What the histograms cost a request, with the two readings of the clock.
func BenchmarkTimes(b *testing.B) {
	p := New(Config{Timeouts: Timeouts{Header: time.Second, Body: time.Second, Idle: time.Second, Write: time.Second, HalfClose: time.Second}})
	x := &exchange{client: &client{proxy: p}}
	x.session.req, x.req.client = &x.req, x.client
	x.req.mount, x.req.began = &mount{app: p.app("app")}, time.Now()
	x.session.waited, x.answer.status = time.Millisecond, 200
	b.ReportAllocs()
	for b.Loop() {
		x.session.countFirstByte()
		x.end()
	}
}
