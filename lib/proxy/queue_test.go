package proxy

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/proxy/balance"
)

// A gate holds calls until they are let through.
type gate struct {
	came chan *call
	pass chan bool
}

func newGate() *gate { return &gate{make(chan *call, 1000), make(chan bool)} }

func (g *gate) answer(c *call) bool {
	b := c.body()
	g.came <- c
	select {
	case <-g.pass:
	case <-c.Upstream.killed:
		return false
	}
	c.ok(c.Target + b)
	return true
}

func (g *gate) open() { close(g.pass) }

func (s *server) queued() int { return s.snapshot().Apps["app"].Queued }

func (s *server) inFlight(f *fake) int { return s.snapshot().Processes[f.route.ID].InFlight }

func TestSessionsGoToTheLeastBusyProcess(t *testing.T) {
	t.Parallel()
	g := newGate()
	a, b, c := start(t, "http", 0, g.answer), start(t, "http", 2, g.answer), start(t, "http", 0, g.answer)
	s := serve(t, Config{}, route(a, b, c))
	for range 8 {
		s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		within(t, g.came, "the call")
	}
	if x, y, z := s.inFlight(a), s.inFlight(b), s.inFlight(c); x != 3 || y != 2 || z != 3 {
		t.Errorf("got %d, %d, %d sessions, want 3, 2, 3", x, y, z)
	}
	g.open()
}

// In which order they come is for a clock that does not run meanwhile:
// TestOrderOfTheQueue.
func TestConcurrencyIsKept(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		g := newGate()
		f := start(t, proto, 1, g.answer)
		s := serve(t, Config{}, route(f))
		peers := map[string]*peer{}
		for i := range 10 {
			path := fmt.Sprintf("/%d", i)
			peers[path] = s.dial().send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
			eventually(t, "its place in the queue", func() bool { return s.queued() == i && s.inFlight(f) == 1 })
		}
		for range len(peers) {
			c := within(t, g.came, "the next call")
			if n := s.inFlight(f); n != 1 {
				t.Errorf("got %d sessions at once", n)
			}
			g.pass <- true
			if r := peers[c.Target].receive("GET"); r.Body != c.Target {
				t.Errorf("got %q for %s", r.Body, c.Target)
			}
		}
		if n := f.accepted.Load(); n != 1 {
			t.Errorf("got %d connections, want 1", n)
		}
		if r := s.snapshot(); r.Apps["app"].Requests != 10 || r.Processes[f.route.ID].Processed != 10 || r.Processes[f.route.ID].LastUsed.IsZero() {
			t.Errorf("got %+v", r)
		}
	})
}

func TestFullQueueRefusesAtOnce(t *testing.T) {
	t.Parallel()
	g := newGate()
	r := route(start(t, "session", 1, g.answer))
	r.QueueSize = 2
	s := serve(t, Config{}, r)
	var peers []*peer
	for i := range 3 {
		peers = append(peers, s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
		eventually(t, "its place", func() bool { return s.queued() == i || i == 0 && len(g.came) == 1 })
	}
	for range 2 {
		p := s.dial().send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok")
		got := p.receive("POST")
		if got.Status != 503 || got.Header.Get("Retry-After") == "" || got.Close || !strings.Contains(got.Body, "busy") {
			t.Errorf("got %+v", got)
		}
		// A long body is left unread.
		p.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\nok")
		if got := p.receive("POST"); got.Status != 503 || !got.Close {
			t.Errorf("got %+v", got)
		}
	}
	g.open()
	for _, p := range peers {
		if got := p.receive("GET"); got.Status != 200 {
			t.Errorf("got %+v", got)
		}
	}
	if r := s.snapshot().Apps["app"]; r.Requests != 7 || r.Rejected != 4 {
		t.Errorf("got %d requests, %d rejected; want 7, 4", r.Requests, r.Rejected)
	}
	r.QueueSize = 0
	s.set(r)
	if got := s.dial().get("/"); got.Status != 200 {
		t.Errorf("no queue, free process: got %d", got.Status)
	}
}

// Row 42 of the fault matrix: an app that answers nothing, with a queue that is
// full, costs another one nothing.
func TestAHungAppHarmsNoOther(t *testing.T) {
	t.Parallel()
	g := newGate()
	hung, well := route(start(t, "http", 1, g.answer)), route(start(t, "http", 1, say("ok")))
	hung.BaseURI = "/hung"
	well.App = "well"
	s := serve(t, Config{}, hung, well)
	for range 1 + hung.QueueSize {
		s.dial().send("GET /hung/ HTTP/1.1\r\nHost: a\r\n\r\n")
	}
	eventually(t, "a full queue", func() bool { return s.queued() == hung.QueueSize })
	for range 100 {
		if got := s.dial().get("/"); got.Status != 200 || got.Body != "ok" {
			t.Fatalf("got %+v", got)
		}
		if got := s.dial().get("/hung/"); got.Status != 503 {
			t.Fatalf("the hung one: got %+v", got)
		}
	}
	if w := s.snapshot().Apps["well"]; w.Rejected != 0 || w.Queued != 0 {
		t.Errorf("got %+v", w)
	}
	g.open()
}

func TestWaitInTheQueueIsBounded(t *testing.T) {
	t.Parallel()
	g := newGate()
	defer g.open()
	r := route(start(t, "session", 1, g.answer))
	s := serve(t, Config{}, r)
	s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	within(t, g.came, "the first call")
	r.QueueTime = 0.05
	s.set(r)
	began := time.Now()
	if got := s.dial().get("/"); got.Status != 504 || got.Header.Get("Retry-After") == "" || time.Since(began) < 50*time.Millisecond {
		t.Errorf("got %d after %v", got.Status, time.Since(began))
	}
}

func TestClientsThatGoAwayLeaveTheQueue(t *testing.T) {
	t.Parallel()
	g := newGate()
	f := start(t, "session", 1, g.answer)
	s := serve(t, Config{}, route(f))
	s.dial().send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
	within(t, g.came, "the first call")
	var gone []*peer
	for range 5 {
		gone = append(gone, s.dial().send("GET /gone HTTP/1.1\r\nHost: a\r\n\r\n"))
	}
	eventually(t, "five in the queue", func() bool { return s.queued() == 5 })
	last := s.dial().send("GET /last HTTP/1.1\r\nHost: a\r\n\r\n")
	eventually(t, "six in the queue", func() bool { return s.queued() == 6 })
	begin := s.clock.Now.Load()
	for _, p := range gone {
		p.Close()
	}
	eventually(t, "one in the queue", func() bool { return s.queued() == 1 })
	if took := time.Duration(s.clock.Now.Load() - begin); took >= balance.AskEvery {
		t.Errorf("they left after %v, when they were asked again", took)
	}
	g.open()
	if r := last.receive("GET"); r.Body != "/last" {
		t.Errorf("got %+v", r)
	}
	if n := f.requests.Load(); n != 2 {
		t.Errorf("the app got %d requests, want 2", n)
	}
}

func TestNewProcessesWakeTheQueue(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{}, route())
	var peers []*peer
	for i := range 4 {
		peers = append(peers, s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
		eventually(t, "its place", func() bool { return s.queued() == i+1 })
	}
	s.set(route(start(t, "session", 1, say("here"))))
	for _, p := range peers {
		if r := p.receive("GET"); r.Body != "here" {
			t.Errorf("got %+v", r)
		}
	}
}

func TestSpawnErrorsAreAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{}, route())
	p := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	eventually(t, "its place", func() bool { return s.queued() == 1 })
	r := route()
	r.Error = &protocol.SpawnError{
		Summary: "no such <gem>", Advice: "run bundle & install", Output: []string{"line <1>", "line 2"},
		Phases: []protocol.Phase{{Name: "load", Took: 1.5, Failed: true}}, Category: protocol.CategoryDependency, AppRoot: "/srv/app",
	}
	s.set(r)
	if got := p.receive("GET"); got.Status != 503 || strings.Contains(got.Body, "gem") || strings.Contains(got.Body, "srv") {
		t.Errorf("got %+v", got)
	}
	r.FriendlyErrors = true
	s.set(r)
	got := s.dial().get("/")
	for _, want := range []string{"no such &lt;gem&gt;", "run bundle &amp; install", "line &lt;1&gt;\n</span><span>line 2", "/srv/app", "failed after 1.5s"} {
		if !strings.Contains(got.Body, want) {
			t.Errorf("the page lacks %q:\n%s", want, got.Body)
		}
	}
	got = s.dial().send("GET / HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n").receive("GET")
	if !strings.Contains(got.Body, `"category":"dependency"`) || got.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %+v", got)
	}
	// A process of the next start serves again.
	r.Error, r.Processes = nil, route(start(t, "http", 0, say("ok"))).Processes
	s.set(r)
	if got := s.dial().get("/"); got.Body != "ok" {
		t.Errorf("got %+v", got)
	}
}

func TestDrainingProcessesFinishAndGetNothingNew(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		g := newGate()
		old, young := start(t, proto, 2, func(c *call) bool {
			if c.Target == "/busy" {
				return g.answer(c)
			}
			c.ok("old")
			return true
		}), start(t, proto, 2, say("young"))
		s := serve(t, Config{}, route(old))
		busy := s.dial().send("GET /busy HTTP/1.1\r\nHost: a\r\n\r\n")
		within(t, g.came, "the call")
		quick := s.dial()
		quick.get("/quick")
		if old.open.Load() != 2 {
			t.Fatalf("got %d connections", old.open.Load())
		}
		r := route(old, young)
		r.Processes[0].Draining = true
		s.set(r)
		eventually(t, "the idle connection is closed", func() bool { return old.open.Load() == 1 })
		for range 4 {
			if got := quick.get("/"); got.Body != "young" {
				t.Errorf("got %q", got.Body)
			}
		}
		if rep := s.snapshot(); rep.RoutesVersion != s.version || rep.Processes[old.route.ID].InFlight != 1 {
			t.Errorf("got %+v", rep)
		}
		// Even when it left the table, its session counts until it ends.
		s.set(route(young))
		if n := s.inFlight(old); n != 1 {
			t.Errorf("got %d in flight", n)
		}
		for len(s.report) > 0 {
			<-s.report
		}
		g.pass <- true
		if got := busy.receive("GET"); got.Body != "/busy" {
			t.Errorf("got %+v", got)
		}
		within(t, s.report, "a report at once")
		if n := s.inFlight(old); n != 0 {
			t.Errorf("got %d in flight", n)
		}
		eventually(t, "its connections are closed", func() bool { return old.open.Load() == 0 })
	})
}

func TestRemovedAppsSendTheirQueueAway(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{}, route())
	p := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	eventually(t, "its place", func() bool { return s.queued() == 1 })
	s.set()
	if got := p.receive("GET"); got.Status != 503 {
		t.Errorf("got %+v", got)
	}
	if got := p.get("/"); got.Status != 404 {
		t.Errorf("got %+v", got)
	}
}

// X35, Apache 2012-3502: each answer belongs to its request, whatever happens
// around it.
func TestAnswersNeverMixUp(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		echo := func(c *call) bool {
			b := c.Target + c.body()
			switch len(b) % 7 {
			case 0:
				c.reply("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(b), b)
				return false
			case 1:
				c.reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(b), b)
			case 2:
				c.reply("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%sHTTP/1.1 200 OK\r\n\r\nleft over", len(b), b)
			default:
				c.ok(b)
			}
			return true
		}
		a, b := start(t, proto, 1, echo), start(t, proto, 3, echo)
		s := serve(t, Config{}, route(a, b))
		var wg sync.WaitGroup
		for client := range 16 {
			p := s.dial()
			wg.Go(func() {
				for i := range 100 {
					body := strings.Repeat("x", (client*31+i*7)%50)
					path := fmt.Sprintf("/%d/%d/", client, i)
					fmt.Fprintf(p.Conn, "PUT %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
					if r := p.receive("PUT"); r.Status != 200 || r.Body != path+body {
						t.Errorf("got %d %q, want %q", r.Status, r.Body, path+body)
						return
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestRequestAfterAFailureWaitsForTheStartThatItCauses(t *testing.T) {
	t.Parallel()
	failed := func(id string) protocol.Route {
		r := route()
		r.Error, r.FriendlyErrors = &protocol.SpawnError{App: "app", ProcessID: id, Summary: "no gem in " + id}, true
		r.NextTry, r.TryAtRequest = time.Now().Add(20*time.Second), true
		return r
	}
	s := serve(t, Config{}, failed("p1"))
	p := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n")
	eventually(t, "its place in the queue", func() bool { return s.queued() == 1 })
	same := failed("p1")
	same.QueueTime = 30 // a table that is about something else
	s.set(same)
	if n := s.queued(); n != 1 {
		t.Errorf("%d requests wait, want 1: the failure is the one of before", n)
	}
	s.set(failed("p2"))
	r := p.receive("GET")
	for _, want := range []string{"no gem in p2", "The next try is in 20s, at ", "Load the page again to try at once", "&#34;passenger restart&#34; or"} {
		if r.Status != 503 || !strings.Contains(r.Body, want) {
			t.Errorf("got %d %q, want %q in it", r.Status, r.Body, want)
		}
	}
	p.send("GET /mended HTTP/1.1\r\nHost: a\r\n\r\n")
	eventually(t, "its place in the queue", func() bool { return s.queued() == 1 })
	f := start(t, "http", 0, func(c *call) bool { c.ok(c.Target); return true })
	s.set(route(f))
	if r := p.receive("GET"); r.Body != "/mended" {
		t.Errorf("got %d %q, want the app's answer", r.Status, r.Body)
	}
}
