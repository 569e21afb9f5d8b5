package pool

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"passenger/lib/protocol"
)

func TestLivesAreWhole(t *testing.T) {
	t.Parallel()
	if len(stateNames) != states+1 || len(eventNames) != events {
		t.Fatalf("the table has %d states and %d events, the code %d and %d", len(stateNames)-1, len(eventNames), states, events)
	}
	for e, row := range lives {
		for from, to := range row {
			if to == state(from) {
				t.Errorf("%v leads from %v to itself; that is \".\"", event(e), to)
			}
		}
	}
	// Whatever has happened, a process can come to its end.
	ends := map[state]bool{stateGone: true}
	for range states {
		for _, row := range lives {
			for from, to := range row {
				ends[state(from)] = ends[state(from)] || ends[to]
			}
		}
	}
	if len(ends) != states+1 {
		t.Errorf("only %v lead to an end", ends)
	}
}

// A pair is an event that met a state.
type pair struct {
	event event
	state state
}

// TestWalk lets anything happen to two apps that can happen at all, in any
// order: no event meets a state where it cannot be, and each one that changes a
// state is met.
func TestWalk(t *testing.T) {
	t.Parallel()
	seen := map[pair]int{}
	for seed := range uint64(24) {
		walk(t, seed, 1500, seen)
	}
	var missed []string
	for e, row := range lives {
		for from, to := range row {
			if n := seen[pair{event(e), state(from)}]; to == never && n > 0 {
				t.Errorf("%v met %v %d times; it cannot be", event(e), state(from), n)
			} else if to != never && to != stay && n == 0 {
				missed = append(missed, event(e).String()+" in "+state(from).String())
			}
		}
	}
	if len(missed) > 0 {
		t.Errorf("never met: %s", strings.Join(missed, ", "))
	}
}

// walk makes random moves.
func walk(t *testing.T, seed uint64, moves int, seen map[pair]int) {
	w := &walker{world: newWorld(t, Limits{Processes: 8, Surge: 1, Starting: 4}), rand: rand.New(rand.NewPCG(seed, 1))}
	w.changes = seed%2 == 0
	w.stepped = func(e event, s state) { seen[pair{e, s}]++ }
	w.p.testOnlyStep = w.stepped
	shop, blog := settings("shop", 3, 4), settings("blog", 1, 3)
	shop.HealthPath, shop.MemoryLimit, shop.TrialTime = "/up", 100, ptr(5.0)
	blog.MemoryLimit, blog.TrialTime, blog.DrainTimeout = 100, ptr(5.0), 5
	w.configs = []protocol.AppConfig{shop, blog}
	for _, c := range w.configs {
		w.p.Put(w.now, c)
	}
	w.tell()
	w.reports()
	w.run()
	for range moves {
		w.move()
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// A walker makes one random move after the other.
type walker struct {
	*world
	rand    *rand.Rand
	configs []protocol.AppConfig
}

func (w *walker) one(in int) bool { return w.rand.IntN(in) == 0 }

// any is one of several, the zero T if there are none.
func anyOf[T any](w *walker, list []T) (v T) {
	if len(list) == 0 {
		return v
	}
	return list[w.rand.IntN(len(list))]
}

// takeAny takes one out of a list.
func takeAny[T any](w *walker, list *[]T) (v T, ok bool) {
	if len(*list) == 0 {
		return v, false
	}
	i := w.rand.IntN(len(*list))
	v = (*list)[i]
	*list = slices.Delete(*list, i, i+1)
	return v, true
}

// process is the ID of a process that the spawner lists and that has not ended.
func (w *walker) process(states ...protocol.State) string {
	var ids []string
	for _, id := range w.order {
		if r, ok := w.list[id]; ok && r.State != protocol.Exited && (states == nil || slices.Contains(states, r.State)) {
			ids = append(ids, id)
		}
	}
	return anyOf(w, ids)
}

func (w *walker) move() {
	moves := []func(){
		w.wait, w.wait, w.wait, w.answer, w.answer, w.answer, w.check, w.check, w.stop, w.stop, w.stop, w.worked,
		w.load, w.load, w.wish, w.becomes, w.ends, w.vanishes, w.isStopped, w.restarts, w.swells, w.orders, w.breaks,
	}
	moves[w.rand.IntN(len(moves))]()
	w.decide()
	w.useTable()
}

func (w *walker) wait() {
	w.now = w.now.Add(time.Duration(w.rand.IntN(2000)) * time.Millisecond)
	if w.proxied {
		w.reports()
	}
}

// answer answers a spawn.
func (w *walker) answer() {
	r, ok := takeAny(w, &w.starts)
	if !ok {
		return
	}
	record, listed := w.list[r.ID]
	kind := w.rand.IntN(8)
	if !listed {
		kind %= 2
	}
	switch kind {
	case 0:
		delete(w.list, r.ID)
		w.p.Spawned(w.now, Spawned{ID: r.ID, Err: &protocol.SpawnError{Summary: "it does not start", App: r.App}})
	case 1:
		delete(w.list, r.ID)
		w.p.Spawned(w.now, Spawned{ID: r.ID})
	case 2:
		if record.State == protocol.Starting {
			w.p.Spawned(w.now, Spawned{ID: r.ID, Process: &record})
		}
	default:
		if record.State == protocol.Starting {
			record = w.become(r.ID, 1)
		}
		w.p.Spawned(w.now, Spawned{ID: r.ID, Process: &record})
	}
}

func (w *walker) check() {
	if c, ok := takeAny(w, &w.checks); ok {
		var err *protocol.SpawnError
		if w.one(3) {
			err = &protocol.SpawnError{Category: protocol.CategoryHealth, Summary: "it answers 500"}
		}
		w.p.Checked(w.now, c.Process.ID, err)
	}
}

func (w *walker) stop() {
	if id, ok := takeAny(w, &w.stops); ok {
		gone := !w.one(4)
		if gone && !w.one(4) {
			delete(w.list, id)
		}
		w.p.Stopped(w.now, id, gone)
	}
}

func (w *walker) worked() {
	if id, ok := takeAny(w, &w.works); ok {
		w.p.Worked(w.now, id)
	}
}

// load changes what the proxy reports.
func (w *walker) load() {
	if id := w.process(protocol.Ready); id != "" {
		r := w.report.Processes[id]
		r.InFlight, r.Processed = w.rand.IntN(2), r.Processed+uint64(w.rand.IntN(9))
		if w.one(20) {
			r.Stuck = 1
		}
		w.report.Processes[id] = r
	}
	w.report.Apps[anyOf(w, w.configs).Name] = protocol.AppReport{Queued: max(0, w.rand.IntN(5)-2), OldestWait: 1}
	w.reports()
}

// wish has a process ask for time out of band.
func (w *walker) wish() {
	if id := w.process(protocol.Ready); id != "" {
		r := w.report.Processes[id]
		r.WorkAsked++
		w.report.Processes[id] = r
		w.reports()
	}
}

// becomes has the list tell that a process is ready, before the answer.
func (w *walker) becomes() {
	if id := w.process(protocol.Starting); id != "" {
		w.become(id, 1)
		w.tell()
	}
}

func (w *walker) ends() {
	if id := w.process(); id != "" {
		w.end(id, "SIGSEGV")
	}
}

func (w *walker) vanishes() {
	if id := w.process(); id != "" && w.one(2) {
		delete(w.list, id)
		w.tell()
	}
}

// isStopped has another stop a process.
func (w *walker) isStopped() {
	if id := w.process(); id != "" && w.one(2) {
		r := w.list[id]
		r.State = protocol.Stopping
		w.put(id, r)
		w.tell()
	}
}

func (w *walker) restarts() {
	if c := anyOf(w, w.configs); w.one(2) {
		w.p.Restart(w.now, c, nil, How{Blocking: w.one(4)})
	}
}

// swells has a process take too much memory.
func (w *walker) swells() {
	if id := w.process(protocol.Ready); id != "" {
		w.p.Measured(Host{Processes: map[string]int64{id: 300 << 20}})
		w.decide()
		w.p.Measured(Host{Processes: map[string]int64{}})
	}
}

func (w *walker) orders() {
	c := anyOf(w, w.configs)
	switch w.rand.IntN(6) {
	case 0:
		w.p.Remove(w.now, c.Name)
		w.decide()
		w.p.Put(w.now, c)
	case 1, 2:
		n := w.rand.IntN(4)
		if err := w.p.Scale(c.Name, &n); err != nil {
			w.t.Error(err)
		}
	case 3:
		if err := w.p.Scale(c.Name, nil); err != nil {
			w.t.Error(err)
		}
	default:
		if a := w.p.apps[c.Name]; a != nil && len(a.processes) > 0 {
			w.p.Detach(w.now, anyOf(w, a.processes).record.ID)
		}
	}
}

// breaks loses the spawner until its next list, or the pool, or the proxy's way
// to newer tables.
func (w *walker) breaks() {
	switch w.rand.IntN(6) {
	case 0:
		w.p.SpawnerLost()
		w.told = protocol.ProcessList{}
	case 1:
		w.works = nil
		w.crash(w.configs...)
		w.tell()
	default:
		w.lagging = !w.lagging
	}
}
