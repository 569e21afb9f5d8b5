package pool

import (
	"fmt"
	"testing"
	"time"

	"passenger/lib/protocol"
)

func TestMinimumIsStartedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, roomy)
	w.p.Put(w.now, settings("shop", 3, 0))
	w.decide()
	w.want("shop", "") // the pool does not know yet what runs
	w.tell()
	w.want("shop", "1:starting 1:starting 1:starting")
	w.wantRoute("shop", "")
	w.ready()
	w.wantRoute("shop", "p001")
}

func TestStartsAreBoundedPerHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{Processes: 10, Starting: 2})
	w.p.Put(w.now, settings("shop", 5, 0))
	w.tell()
	if got := len(w.starts); got != 2 {
		t.Fatalf("%d start at once, want 2", got)
	}
	w.ready()
	if got := len(w.starts); got != 2 {
		t.Fatalf("%d start after one was ready, want 2", got)
	}
	// A start that hangs waits for something; it keeps no processor busy.
	w.pass(slowStart)
	if got := len(w.starts); got != 4 {
		t.Fatalf("%d start when two hang, want 4", got)
	}
}

func TestQueueStartsMore(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		most, queued int
		pool         int
		want         int // that start
	}{
		{"one waits", 0, 1, 6, 1},
		{"three wait", 0, 3, 6, 3},
		{"the app's maximum", 3, 9, 6, 2},
		{"the pool's maximum", 0, 99, 6, 5},
		{"none waits", 0, 0, 6, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := serving(t, Limits{Processes: tt.pool, Starting: 20}, settings("shop", 1, tt.most))
			w.queue("shop", tt.queued)
			if got := len(w.starts); got != tt.want {
				t.Fatalf("%d start, want %d", got, tt.want)
			}
			w.queue("shop", tt.queued) // those that start count
			if got := len(w.starts); got != tt.want {
				t.Fatalf("%d start after the same report again, want %d", got, tt.want)
			}
		})
	}
}

func TestQueueOfBeforeTheNewProcessIsNoDemand(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, settings("shop", 1, 0))
	w.queue("shop", 1)
	w.lagging = true
	w.ready()
	w.reports() // the request waits still, in a proxy without p002
	w.want("shop", "1:ready 1:ready")
	w.lagging = false
	w.queue("shop", 1)
	w.want("shop", "1:ready 1:ready 1:starting")
}

func TestProcessWithoutLimitNeedsNoSecond(t *testing.T) {
	t.Parallel()
	w := newWorld(t, roomy)
	w.p.Put(w.now, settings("node", 0, 0))
	w.tell()
	w.want("node", "")
	w.queue("node", 50)
	w.want("node", "1:starting")
	r := w.next()
	p := w.become(r.ID, 0)
	w.p.Spawned(w.now, Spawned{ID: r.ID, Process: &p})
	w.decide()
	w.queue("node", 50)
	w.want("node", "1:ready")
}

func TestIdleProcessesOverTheMinimumStop(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, settings("shop", 1, 0))
	w.queue("shop", 2)
	w.queue("shop", 0)
	w.run()
	w.want("shop", "1:ready 1:ready 1:ready")
	w.inFlight("p001", 1)
	w.inFlight("p002", 1)
	w.pass(310 * time.Second)
	w.run()
	w.wantRoute("shop", "p001 p002") // these two are busy
	w.inFlight("p001", 0)
	w.inFlight("p002", 0)
	w.pass(299 * time.Second)
	w.wantRoute("shop", "p001 p002")
	w.pass(10 * time.Second)
	w.run()
	w.want("shop", "1:ready")
	w.pass(time.Hour)
	w.want("shop", "1:ready")
}

func TestMinimumOfZeroIsStartedByARequest(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, settings("shop", 0, 0))
	w.want("shop", "")
	if got := w.view("shop").State; got != protocol.AppIdle {
		t.Errorf("state is %q, want idle", got)
	}
	w.queue("shop", 1)
	w.want("shop", "1:starting")
	w.queue("shop", 0)
	w.run()
	w.pass(400 * time.Second)
	w.run()
	w.want("shop", "")
}

func TestWaitingAppTakesAnIdleProcessesPlace(t *testing.T) {
	t.Parallel()
	w := serving(t, Limits{Processes: 4, Starting: 20}, settings("rich", 1, 0), settings("poor", 0, 0))
	w.queue("rich", 3)
	w.queue("rich", 0)
	w.run()
	w.want("rich", "1:ready 1:ready 1:ready 1:ready")
	w.inFlight("p001", 1)
	w.pass(youth)
	w.queue("poor", 2)
	w.want("rich", "1:ready 1:stopping 1:ready 1:ready")
	w.want("poor", "")
	w.stopped()
	w.want("poor", "1:starting")
	w.ready()
	w.queue("poor", 1) // it has one now, and its request waits
	w.want("rich", "1:ready 1:stopping 1:ready")
	w.want("poor", "1:ready")
}

func TestQueueThatJustFormedStartsNothing(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, settings("shop", 1, 0))
	w.report.Apps["shop"] = protocol.AppReport{Queued: 9, OldestWait: startWait / 2}
	w.reports()
	w.want("shop", "1:ready")
	w.report.Apps["shop"] = protocol.AppReport{Queued: 1, OldestWait: startWait}
	w.reports()
	w.want("shop", "1:ready 1:starting")
}

func TestNothingMoreIsStartedOnABusyMachine(t *testing.T) {
	t.Parallel()
	for _, h := range []Host{{Host: protocol.Host{CPUPressure: highCPU + 1}}, {Host: protocol.Host{MemoryPressure: highMemory + 1}}} {
		w := serving(t, roomy, settings("shop", 1, 0), settings("blog", 0, 0))
		w.p.Measured(h)
		w.report.Apps["shop"] = protocol.AppReport{Queued: 4, OldestWait: strainWait - 0.1}
		w.reports()
		w.want("shop", "1:ready")
		w.queue("blog", 1)
		w.want("blog", "1:starting") // what serves nothing is started anyway
		w.queue("shop", strainWait)  // and so is what is waited for so long
		w.want("shop", "1:ready 1:starting")
	}
}

func TestSpareProcesses(t *testing.T) {
	t.Parallel()
	c := settings("shop", 1, 5)
	c.SpareInstances = 2
	w := serving(t, roomy, c)
	w.want("shop", "1:ready 1:ready")
	w.inFlight("p001", 1)
	w.run()
	w.want("shop", "1:ready 1:ready 1:ready")
	w.inFlight("p001", 0)
	w.pass(400 * time.Second)
	w.run()
	w.want("shop", "1:ready 1:ready") // not fewer, however long they are idle
	w.inFlight(w.firstOf("shop"), 1)
	w.run()
	w.want("shop", "1:ready 1:ready 1:ready")
}

func TestProcessWithoutLimitNeedsNoSpare(t *testing.T) {
	t.Parallel()
	c := settings("node", 1, 5)
	c.SpareInstances = 2
	w := newWorld(t, roomy)
	w.p.Put(w.now, c)
	w.tell()
	r := w.next()
	p := w.become(r.ID, 0)
	w.p.Spawned(w.now, Spawned{ID: r.ID, Process: &p})
	w.decide()
	w.inFlight(r.ID, 9)
	w.want("node", "1:ready")
}

func (w *world) firstOf(app string) string { return w.p.apps[app].processes[0].record.ID }

func TestAppAtItsMinimumGivesAnIdleProcessToOneThatHasNone(t *testing.T) {
	t.Parallel()
	w := serving(t, Limits{Processes: 2, Starting: 20}, settings("rich", 2, 0), settings("poor", 0, 0))
	w.queue("poor", 2)
	w.queue("poor", 2)
	w.want("rich", "1:stopping 1:ready")
	w.run()
	w.want("poor", "1:ready")
	w.queue("poor", 2) // one is enough to serve it
	w.want("rich", "1:ready")
	w.queue("poor", 0)
	w.pass(time.Minute)
	w.want("poor", "1:ready") // nor is it taken back for a minimum
	w.pass(time.Hour)
	w.run()
	w.want("rich", "1:ready 1:ready")
}

func TestBusyAppsAreLevelledOut(t *testing.T) {
	t.Parallel()
	w := serving(t, Limits{Processes: 6, Starting: 20}, settings("rich", 1, 0), settings("poor", 1, 0))
	w.queue("rich", 4)
	w.run()
	w.want("rich", "1:ready 1:ready 1:ready 1:ready 1:ready")
	w.queue("rich", 4)
	for range 10 {
		for _, id := range w.order {
			w.inFlight(id, 1)
		}
		w.queue("poor", 4)
		for _, id := range w.stopping() {
			w.inFlight(id, 0)
		}
		w.run()
		w.pass(youth)
	}
	w.want("rich", "1:ready 1:ready 1:ready")
	w.want("poor", "1:ready 1:ready 1:ready")
}

// stopping are the processes that are on their way out.
func (w *world) stopping() []string {
	var ids []string
	for id, q := range w.p.processes {
		if q.phase() == protocol.Draining {
			ids = append(ids, id)
		}
	}
	return ids
}

func TestMinimumsOverTheMaximumStarveNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{Processes: 1, Starting: 20})
	w.p.Put(w.now, settings("blog", 1, 0))
	w.p.Put(w.now, settings("shop", 1, 0))
	w.tell()
	w.reports()
	w.run()
	w.want("blog", "1:ready")
	w.pass(time.Hour) // no request needs the other one
	w.want("blog", "1:ready")
	w.queue("shop", 1) // blog is idle
	w.run()
	w.want("shop", "1:ready")
	w.want("blog", "")
	w.inFlight(w.firstOf("shop"), 1)
	w.queue("blog", 1) // shop is busy: in turn
	w.want("shop", "1:ready")
	w.pass(turn)
	w.want("shop", "1:draining")
}

func TestDrainingCountsInTheLimit(t *testing.T) {
	t.Parallel()
	w := serving(t, Limits{Processes: 2, Starting: 20}, settings("old", 2, 0), settings("new", 0, 0))
	w.inFlight("p001", 1)
	w.inFlight("p002", 1)
	w.p.Remove(w.now, "old")
	w.decide()
	w.useTable()
	w.want("old", "1:draining 1:draining")
	w.queue("new", 1)
	w.want("new", "")
	w.inFlight("p001", 0)
	w.want("old", "1:stopping 1:draining")
	w.want("new", "")
	w.stopped()
	w.want("new", "1:starting")
}

func TestLoweredMaximumStopsWhatIsOver(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, settings("shop", 1, 0))
	w.queue("shop", 3)
	w.queue("shop", 0)
	w.run()
	c := settings("shop", 1, 2)
	w.p.Put(w.now, c)
	w.decide()
	w.useTable()
	w.run()
	w.want("shop", "1:ready 1:ready")
	if got := w.view("shop").Generation; got != 1 {
		t.Errorf("generation is %d: a limit needs no new processes", got)
	}
}

func TestNothingIsPublishedWhileNothingChanges(t *testing.T) {
	t.Parallel()
	var configs []protocol.AppConfig
	for i := range 20 {
		configs = append(configs, settings(fmt.Sprintf("app%02d", i), i%2, 0))
	}
	w := serving(t, roomy, configs...)
	tables := w.tables
	for n := range 100 {
		w.served("p001", uint64(n), 0)
		w.tell()
		w.p.Measured(Host{Host: protocol.Host{MemoryFree: int64(1<<30 + n), CPUPressure: float64(n % 50)}})
		w.pass(time.Second)
	}
	if w.tables != tables {
		t.Errorf("%d tables were published", w.tables-tables)
	}
}

// BenchmarkDecide is one report of a proxy and what is decided on it, with 200
// apps of 5 processes.
func BenchmarkDecide(b *testing.B) {
	p := New(epoch, Limits{Processes: 2000, Starting: 2000}, Chance{
		ID: func() string { return fmt.Sprint(time.Now().UnixNano()) }, Jitter: func() float64 { return 0 },
	}, nil)
	report := protocol.ProxyReport{Processes: map[string]protocol.ProcessReport{}, Apps: map[string]protocol.AppReport{}}
	var list protocol.ProcessList
	for i := range 200 {
		c := settings(fmt.Sprintf("app%d", i), 0, 0)
		p.Put(epoch, c)
		report.Apps[c.Name] = protocol.AppReport{Requests: 1}
		for j := range 5 {
			id := fmt.Sprintf("p%dx%d", i, j)
			list.Processes = append(list.Processes, protocol.Process{
				ID: id, App: c.Name, Generation: 1, State: protocol.Ready, Address: "unix:/" + id, Concurrency: 1,
			})
			report.Processes[id] = protocol.ProcessReport{Processed: 1}
		}
	}
	p.Listed(epoch, list)
	p.Decide(epoch)
	for b.Loop() {
		p.Reported(epoch, "proxy", report)
		p.Decide(epoch)
	}
}
