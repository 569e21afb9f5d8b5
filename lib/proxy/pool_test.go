package proxy

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/unixsock"
)

// A fakePool publishes tables and collects reports.
type fakePool struct {
	feed    control.Feed[*protocol.Routes]
	reports chan protocol.ProxyReport
	path    string
	keeps   atomic.Bool // the reports, so that only changes are told
}

func newFakePool(t *testing.T) *fakePool {
	t.Helper()
	dir, err := os.MkdirTemp("", "pool")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return &fakePool{reports: make(chan protocol.ProxyReport, 1000), path: filepath.Join(dir, "s")}
}

// run serves until the function returned is called.
func (f *fakePool) run(t *testing.T) (stop func()) {
	t.Helper()
	l, err := unixsock.Listen(f.path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	s := &control.Server{Program: "passenger-pool", Release: "test"}
	s.Register(
		control.Call{Method: "GET", Path: protocol.PathRoutes, Access: protocol.Reads, Feed: &f.feed},
		control.Call{Method: "PUT", Path: protocol.PathProxies + "/{id}", Access: protocol.Changes, Handler: func(r *control.Request) (any, error) {
			var rep protocol.ProxyReport
			if err := control.Decode(r, &rep); err != nil {
				return nil, err
			}
			f.reports <- rep
			return protocol.ReportReply{Kept: f.keeps.Load()}, nil
		}},
	)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Serve(ctx, l); err != nil {
			t.Error(err)
		}
	})
	return func() { cancel(); wg.Wait(); os.Remove(f.path) }
}

func (f *fakePool) publish(version uint64, routes ...protocol.Route) {
	f.feed.Set(tableOf(version, routes...))
}

// until returns the first report that ok accepts.
func (f *fakePool) until(t *testing.T, what string, ok func(protocol.ProxyReport) bool) protocol.ProxyReport {
	t.Helper()
	for {
		if r := within(t, f.reports, what); ok(r) {
			return r
		}
	}
}

func TestProxyFollowsThePoolAndGoesOnWithoutIt(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{reportEvery: time.Hour})
	pool := newFakePool(t)
	stop := pool.run(t)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	client := control.NewClient(pool.path, "passenger-proxy", "test")
	wg.Go(func() { s.Follow(ctx, client) })
	wg.Go(func() { s.Report(ctx, client, "1-test") })

	first := start(t, "session", 1, say("first"))
	pool.publish(11, route(first))
	pool.until(t, "a report of the new table", func(r protocol.ProxyReport) bool { return r.RoutesVersion == 11 && r.PID == os.Getpid() })
	p := s.dial()
	if r := p.get("/"); r.Body != "first" {
		t.Errorf("got %+v", r)
	}
	stop()
	for range 5 {
		if r := p.get("/"); r.Body != "first" {
			t.Errorf("without a pool: got %+v", r)
		}
	}
	second := start(t, "session", 1, say("second"))
	stop = pool.run(t)
	pool.publish(12, route(second))
	pool.until(t, "a report after the pool is back", func(r protocol.ProxyReport) bool { return r.RoutesVersion == 12 })
	if r := p.get("/"); r.Body != "second" {
		t.Errorf("got %+v", r)
	}
	cancel()
	pool.until(t, "the last word", func(r protocol.ProxyReport) bool { return r.Leaving })
	wg.Wait()
	stop()
}

func TestQueuesAreReportedAtOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{reportEvery: time.Hour}, route())
	pool := newFakePool(t)
	defer pool.run(t)()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { s.Report(ctx, control.NewClient(pool.path, "passenger-proxy", "test"), "1-test") })
	within(t, pool.reports, "a first report")
	eventually(t, "quiet", func() bool {
		for len(pool.reports) > 0 {
			<-pool.reports
		}
		return len(s.report) == 0
	})
	s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	pool.until(t, "a report of the queue", func(r protocol.ProxyReport) bool { return r.Apps["app"].Queued == 1 })
	cancel()
	wg.Wait()
}

func TestRequestsInFlightAreListed(t *testing.T) {
	t.Parallel()
	g := newGate()
	f := start(t, "session", 1, g.answer)
	s := serve(t, Config{}, route(f))
	s.dial().send("GET /one?q HTTP/1.1\r\nHost: a.test\r\n\r\n")
	within(t, g.came, "the call")
	s.dial().send("POST /two HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\n\r\nx")
	eventually(t, "its place", func() bool { return s.queued() == 1 })
	list := s.requests()
	if len(list) != 2 {
		t.Fatalf("got %+v", list)
	}
	one, two := list[0], list[1]
	if one.Method != "GET" || one.Path != "/one" || one.Host != "a.test" || one.Phase != "waiting" || one.App != "app" ||
		one.ProcessID != f.route.ID || one.PID != 1 || one.Client != "127.0.0.1" || len(one.ID) != 32 || one.Age <= 0 {
		t.Errorf("got %+v", one)
	}
	if two.Method != "POST" || two.Phase != "queued" || two.ProcessID != "" {
		t.Errorf("got %+v", two)
	}
	g.open()
	eventually(t, "none", func() bool { return len(s.requests()) == 0 })
}

func TestLastTableIsRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := New(Config{Timeouts: quick})
	if err := p.LoadRoutes(filepath.Join(dir, "none.json")); err != nil || p.index.Load().version != 0 {
		t.Errorf("a missing file: got %v", err)
	}
	path := filepath.Join(dir, "routes.json")
	if err := os.WriteFile(path, []byte(`{"version": 7, "apps": [{"app": "a", "base_uri": "/", "later": {}}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.LoadRoutes(path); err != nil || p.index.Load().version != 7 {
		t.Errorf("got %v, version %d", err, p.index.Load().version)
	}
	if err := os.WriteFile(path, []byte(`{"version": 8, "apps": [`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.LoadRoutes(path); err == nil || p.index.Load().version != 7 {
		t.Errorf("half a file: got %v, version %d", err, p.index.Load().version)
	}
}

// Only what changed in a table is put into use anew.
func TestRoutesThatAreTheSameStayInUse(t *testing.T) {
	t.Parallel()
	p := New(Config{Timeouts: quick})
	p.SetRoutes(tableOf(1, protocol.Route{App: "a", BaseURI: "/a"}, protocol.Route{App: "b", BaseURI: "/b"}, protocol.Route{App: "c", BaseURI: "/c"}))
	before := p.index.Load()
	table, err := (&protocol.Routes{Version: 1, Apps: []*protocol.Route{before.byName["a"].route, before.byName["b"].route, before.byName["c"].route}}).
		With(&protocol.Routes{Version: 2, Base: 1, Apps: []*protocol.Route{{App: "b", BaseURI: "/b", Paused: protocol.PausedHold}}, Gone: []string{"c"}})
	if err != nil {
		t.Fatal(err)
	}
	p.SetRoutes(table)
	now := p.index.Load()
	if now.version != 2 || now.byName["a"] != before.byName["a"] || now.byName["b"] == before.byName["b"] || now.byName["c"] != nil {
		t.Errorf("version %d: a new %v, b new %v, c there %v", now.version, now.byName["a"] != before.byName["a"], now.byName["b"] != before.byName["b"], now.byName["c"] != nil)
	}
	for host, want := range map[string]*mount{"/a": now.byName["a"], "/b": now.byName["b"], "/c": nil} {
		if got := now.hosts.Find([]byte("x"), []byte(host)); got != want {
			t.Errorf("%s leads to %p, want %p", host, got, want)
		}
	}
	if !p.app("c").balance.Over() || p.app("a").balance.Over() {
		t.Error("an app stays that is in the table no more, or goes that is")
	}
}

// A pool that keeps reports is told what changed, however many apps there are, and
// one that has not the last one is told all at once.
func TestReportsTellWhatChanged(t *testing.T) {
	t.Parallel()
	const apps = 200
	var routes []protocol.Route
	f := start(t, "session", 1, say("ok"))
	for i := range apps {
		r := protocol.Route{App: fmt.Sprintf("app-%d", i), BaseURI: fmt.Sprintf("/%d", i), QueueSize: 100, QueueTime: 60, ReadTimeout: 60}
		if i == 7 {
			r.Processes = route(f).Processes
		}
		routes = append(routes, r)
	}
	s := serve(t, Config{}, routes...)
	pool := newFakePool(t)
	pool.keeps.Store(true)
	defer pool.run(t)()
	ctx := t.Context()
	to := teller{pool: control.NewClient(pool.path, "passenger-proxy", "test"), path: protocol.PathProxies + "/1-test"}
	told := func(what string) protocol.ProxyReport {
		t.Helper()
		s.tell(ctx, &to, false)
		return within(t, pool.reports, what)
	}
	whole := told("a first report")
	if whole.Changes || len(whole.Apps) != apps {
		t.Errorf("first: changes %v of %d apps, want all of %d", whole.Changes, len(whole.Apps), apps)
	}
	if r := told("nothing new"); !r.Changes || len(r.Apps)+len(r.Processes) != 0 {
		t.Errorf("nothing happened: got %+v", r)
	}
	if r := s.dial().get("/7/"); r.Body != "ok" {
		t.Fatalf("got %+v", r)
	}
	eventually(t, "the end of the session", func() bool { return s.snapshot().Apps["app-7"].Requests == 1 })
	r := told("a request")
	if len(r.Apps) != 1 || len(r.Processes) != 1 || r.Apps["app-7"].Requests != 1 || r.Processes[f.route.ID].Processed != 1 {
		t.Errorf("one request: got %+v", r)
	}
	whole.Take(r)
	if diff := cmp.Diff(s.snapshot(), whole); diff != "" {
		t.Errorf("all together (-is +told)\n%s", diff)
	}
	pool.keeps.Store(false)
	if r := told("to another pool"); !r.Changes {
		t.Errorf("got %d apps", len(r.Apps))
	}
	if r := within(t, pool.reports, "the whole"); r.Changes || len(r.Apps) != apps {
		t.Errorf("again: changes %v of %d apps, want all of %d", r.Changes, len(r.Apps), apps)
	}
	if r := told("the next one"); r.Changes || len(r.Apps) != apps {
		t.Errorf("not kept: changes %v of %d apps, want all of %d", r.Changes, len(r.Apps), apps)
	}
}
