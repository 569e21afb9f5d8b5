package pool

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/protocol"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	os.Exit(m.Run())
}

// A world is what is around a pool: a spawner that does what the test says, a
// proxy that uses every table at once, and time.
type world struct {
	t        *testing.T
	p        *Pool
	limits   Limits
	now      time.Time
	skew     time.Duration // of the wall clock that the spawner stamps by, against now
	last     Decision
	list     map[string]protocol.Process // what the spawner has
	order    []string                    // IDs in order of start
	starts   []protocol.SpawnRequest     // not answered yet
	stops    []string                    // not answered yet
	checks   []Check                     // not answered yet
	routes   *protocol.Routes
	tables   int
	restarts []Outcome
	events   []protocol.Event
	promoted []string
	works    []string // processes that work out of band
	removed  []string
	ids      int
	proxied  bool
	lagging  bool // the proxy takes up no new table
	report   protocol.ProxyReport
	kept     *protocol.ProxyReport // as it was told last
	stepped  func(event, state)    // see [Pool]
	told     protocol.ProcessList
	changes  bool // the spawner tells what changed, after the first list
}

var epoch = time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)

func newWorld(t *testing.T, limits Limits) *world {
	w := &world{t: t, limits: limits, now: epoch, list: map[string]protocol.Process{}}
	w.report = reportOf(0)
	w.p = w.newPool(nil)
	return w
}

func reportOf(version uint64) protocol.ProxyReport {
	return protocol.ProxyReport{
		RoutesVersion: version,
		Processes:     map[string]protocol.ProcessReport{}, Apps: map[string]protocol.AppReport{},
	}
}

func (w *world) newPool(last *protocol.Routes) *Pool {
	chance := Chance{
		ID:     func() string { w.ids++; return fmt.Sprintf("p%03d", w.ids) },
		Jitter: func() float64 { return 0 },
	}
	p := New(w.now, w.limits, chance, last)
	p.testOnlyStep = w.stepped
	return p
}

// crash replaces the pool by one that knows no more than the file.
func (w *world) crash(configs ...protocol.AppConfig) {
	w.told = protocol.ProcessList{}
	w.starts, w.stops, w.checks = nil, nil, nil
	w.p = w.newPool(w.routes)
	for _, c := range configs {
		w.p.Put(w.now, c)
	}
	w.decide()
}

func settings(name string, least, most int) protocol.AppConfig {
	return protocol.AppConfig{
		Name: name, AppRoot: "/srv/" + name, Environment: "production", MinInstances: &least, MaxInstances: most,
		StartTimeout: 90, StopGrace: 30, DrainTimeout: 30, IdleTime: 300, QueueSize: ptr(100), QueueTime: 60, ReadTimeout: 600,
		BaseURI: "/" + name, FriendlyErrors: ptr(false), TrialTime: ptr(0.0),
	}
}

func ptr[T any](v T) *T { return &v }

// tableIsTrue checks that whatever changed of an app is in the table.
func (w *world) tableIsTrue() {
	w.t.Helper()
	for _, a := range w.p.apps {
		if a.removed || a.stale {
			continue
		}
		if diff := cmp.Diff(a.route(), *a.published); diff != "" {
			w.t.Fatalf("the table has not what changed of app %q (-is +published)\n%s", a.config.Name, diff)
		}
	}
}

// decide has the pool decide and does what it says but for starts and stops.
func (w *world) decide() Decision {
	w.t.Helper()
	d := w.p.Decide(w.now)
	if d.Routes != nil {
		if w.routes != nil && d.Routes.Version <= w.routes.Version {
			w.t.Fatalf("table version %d after %d", d.Routes.Version, w.routes.Version)
		}
		w.routes = d.Routes
		w.tables++
	}
	w.tableIsTrue()
	w.starts = append(w.starts, d.Start...)
	for _, stop := range d.Stop {
		w.stops = append(w.stops, stop.ID)
	}
	w.checks = append(w.checks, d.Check...)
	for _, r := range d.Start {
		w.put(r.ID, protocol.Process{ID: r.ID, App: r.App, Generation: r.Generation, State: protocol.Starting, StartedAt: w.now.Add(w.skew)})
	}
	w.restarts = append(w.restarts, d.Restarts...)
	w.events = append(w.events, d.Events...)
	w.promoted = append(w.promoted, d.Promote...)
	for _, r := range d.Work {
		w.works = append(w.works, r.ID)
	}
	w.removed = append(w.removed, d.Removed...)
	w.last = d
	if len(d.Clear) > 0 {
		for _, c := range d.Clear {
			w.p.Cleared(c)
		}
		return w.decide()
	}
	if n := len(w.p.processes); n > w.p.limits.Processes+w.p.limits.Surge && len(d.Start) > 0 {
		w.t.Fatalf("%d processes, over the limit of %d", n, w.p.limits.Processes)
	}
	return d
}

func (w *world) put(id string, r protocol.Process) {
	if _, ok := w.list[id]; !ok {
		w.order = append(w.order, id)
	}
	w.list[id] = r
}

// tell sends the spawner's list, or what changed of it.
func (w *world) tell() {
	list := protocol.ProcessList{Version: w.told.Version + 1}
	for _, id := range w.order {
		if r, ok := w.list[id]; ok {
			list.Processes = append(list.Processes, r)
		}
	}
	told := w.told
	if w.told = list; w.changes {
		list = list.Since(told).(protocol.ProcessList)
	}
	w.p.Listed(w.now, list)
	w.decide()
}

func (w *world) become(id string, concurrency int) protocol.Process {
	r := w.list[id]
	r.State, r.PID, r.Address, r.DataProtocol, r.Concurrency = protocol.Ready, 1001+slices.Index(w.order, id), "unix:/"+id, "session", concurrency
	r.SessionForm = protocol.SessionApart
	w.put(id, r)
	return r
}

// ready has the oldest start succeed.
func (w *world) ready() string {
	w.t.Helper()
	r := w.next()
	p := w.become(r.ID, 1)
	w.p.Spawned(w.now, Spawned{ID: r.ID, Process: &p})
	w.decide()
	w.useTable()
	return r.ID
}

// fail has the oldest start fail.
func (w *world) fail(summary string) {
	w.t.Helper()
	r := w.next()
	delete(w.list, r.ID)
	w.p.Spawned(w.now, Spawned{ID: r.ID, Err: &protocol.SpawnError{Category: protocol.CategoryApp, Summary: summary, App: r.App}})
	w.decide()
	w.useTable()
}

// lose has the oldest start come to nothing.
func (w *world) lose() {
	w.t.Helper()
	r := w.next()
	delete(w.list, r.ID)
	w.p.Spawned(w.now, Spawned{ID: r.ID})
	w.decide()
}

func (w *world) next() protocol.SpawnRequest {
	w.t.Helper()
	if len(w.starts) == 0 {
		w.t.Fatal("nothing starts")
	}
	r := w.starts[0]
	w.starts = w.starts[1:]
	return r
}

// stopped has the oldest stop succeed.
func (w *world) stopped() string {
	w.t.Helper()
	if len(w.stops) == 0 {
		w.t.Fatal("nothing stops")
	}
	id := w.stops[0]
	w.stops = w.stops[1:]
	delete(w.list, id)
	w.p.Stopped(w.now, id, true)
	w.decide()
	w.useTable()
	return id
}

// answer has the oldest check pass, or fail for a reason.
func (w *world) answer(summary string) {
	w.t.Helper()
	if len(w.checks) == 0 {
		w.t.Fatal("nothing is checked")
	}
	var err *protocol.SpawnError
	if summary != "" {
		err = &protocol.SpawnError{Category: protocol.CategoryHealth, Summary: summary}
	}
	id := w.checks[0].Process.ID
	w.checks = w.checks[1:]
	w.p.Checked(w.now, id, err)
	w.decide()
	w.useTable()
}

// die has a process end by its own fault.
func (w *world) die(id string) { w.end(id, "SIGSEGV") }

func (w *world) end(id, signal string) {
	r := w.list[id]
	r.State, r.Exit = protocol.Exited, &protocol.Exit{At: w.now, Cause: "killed by " + signal, Signal: signal, Status: -1}
	w.put(id, r)
	w.tell()
	w.useTable()
}

// useTable has the proxy, if there is one, report that it uses the table.
func (w *world) useTable() {
	if !w.proxied || w.lagging || w.routes == nil || w.report.RoutesVersion == w.routes.Version {
		return
	}
	w.report.RoutesVersion = w.routes.Version
	w.reports()
}

func (w *world) reports() {
	w.proxied = true
	whole := func() protocol.ProxyReport {
		r := w.report
		r.Processes, r.Apps = maps.Clone(r.Processes), maps.Clone(r.Apps)
		return r
	}
	if w.kept == nil || !w.p.Reported(w.now, "proxy", whole().Since(*w.kept)) {
		w.p.Reported(w.now, "proxy", whole())
	}
	w.kept = new(whole())
	w.decide()
	if !w.lagging {
		w.useTable()
	}
}

// queue has the proxy report requests that wait.
func (w *world) queue(app string, n int) {
	w.report.Apps[app] = protocol.AppReport{Queued: n, OldestWait: float64(n)}
	if w.routes != nil && !w.lagging {
		w.report.RoutesVersion = w.routes.Version
	}
	w.reports()
}

func (w *world) inFlight(id string, n int) {
	w.report.Processes[id] = protocol.ProcessReport{InFlight: n}
	w.reports()
}

// served has the proxy report what a process answered so far.
func (w *world) served(id string, processed, errors uint64) {
	w.report.Processes[id] = protocol.ProcessReport{Processed: processed, Errors: errors}
	w.reports()
}

// pass lets time pass, with the proxy's reports every second if there is one.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	end := w.now.Add(d)
	for w.now.Before(end) {
		next := end
		if w.proxied && w.now.Add(time.Second).Before(end) {
			next = w.now.Add(time.Second)
		}
		if wake := w.last.Wake; !wake.IsZero() && wake.Before(next) {
			next = wake
		}
		if !next.After(w.now) {
			w.t.Fatalf("the pool wants to wake at %v, now is %v", next, w.now)
		}
		w.now = next
		if w.proxied {
			w.reports()
		} else {
			w.decide()
		}
	}
}

// run lets all starts succeed and all stops end until nothing is left to do.
func (w *world) run() {
	w.t.Helper()
	for range 1000 {
		switch {
		case len(w.starts) > 0:
			w.ready()
		case len(w.checks) > 0:
			w.answer("")
		case len(w.stops) > 0:
			w.stopped()
		default:
			return
		}
	}
	w.t.Fatal("it does not end")
}

// state is the processes of an app, such as "1:ready 1:ready 2:starting".
func (w *world) state(app string) string {
	a := w.p.apps[app]
	if a == nil {
		return "none"
	}
	var words []string
	for _, q := range a.processes {
		words = append(words, fmt.Sprintf("%d:%s", q.record.Generation, q.phase()))
	}
	return strings.Join(words, " ")
}

func (w *world) want(app, state string) {
	w.t.Helper()
	if got := w.state(app); got != state {
		w.t.Fatalf("app %q: got %q, want %q", app, got, state)
	}
}

// route is an app's route in the last table, such as "p001 p002(draining)".
func (w *world) route(app string) string {
	for _, r := range w.routes.Apps {
		if r.App != app {
			continue
		}
		var words []string
		for _, p := range r.Processes {
			word := p.ID
			if p.Draining {
				word += "(draining)"
			}
			words = append(words, word)
		}
		if r.Error != nil {
			words = append(words, "error: "+r.Error.Summary)
		}
		return strings.Join(words, " ")
	}
	return "none"
}

func (w *world) wantRoute(app, route string) {
	w.t.Helper()
	if got := w.route(app); got != route {
		w.t.Fatalf("route of %q: got %q, want %q", app, got, route)
	}
}

func (w *world) view(app string) protocol.App {
	v, ok := w.p.App(w.now, app)
	if !ok {
		w.t.Fatalf("no app %q; there are %v", app, slices.Sorted(maps.Keys(w.p.apps)))
	}
	return v
}

// serving makes a world in which the apps run as they should.
func serving(t *testing.T, limits Limits, configs ...protocol.AppConfig) *world {
	t.Helper()
	w := newWorld(t, limits)
	for _, c := range configs {
		w.p.Put(w.now, c)
	}
	w.tell()
	w.reports()
	w.run()
	w.pass(time.Minute) // none is young
	return w
}

var roomy = Limits{Processes: 20, Starting: 20}
