package side

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"passenger/lib/protocol"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

// A world is a crew with its spawner and time.
type world struct {
	t       *testing.T
	now     time.Time
	crew    *Crew
	aim     Aim
	starts  []protocol.SpawnRequest // not answered yet
	stops   []Stop                  // not answered yet
	memory  map[string]int64
	loading int // -1 for any number
	ids     int
	events  int
	wake    time.Time
}

func newWorld(t *testing.T, specs map[string]protocol.SideProcess) *world {
	w := &world{t: t, now: time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC), memory: map[string]int64{}, loading: -1}
	w.crew = w.newCrew()
	w.aim = Aim{Config: config(specs), Generation: 1}
	w.aim.Room = func() bool { return w.loading < 0 || w.crew.Loading(w.now, time.Hour) < w.loading }
	w.aim.Memory = func(id string) int64 { return w.memory[id] }
	return w
}

func (w *world) newCrew() *Crew {
	return New("shop", Chance{ID: func() string { w.ids++; return fmt.Sprintf("p%d", w.ids) }, Jitter: func() float64 { return 0 }})
}

func config(specs map[string]protocol.SideProcess) protocol.AppConfig {
	for kind, s := range specs {
		if s.Count == nil {
			s.Count = new(1)
			specs[kind] = s
		}
	}
	return protocol.AppConfig{Name: "shop", Processes: specs}
}

func (w *world) step() {
	o := w.crew.Step(w.now, w.aim)
	w.starts, w.stops, w.wake = append(w.starts, o.Start...), append(w.stops, o.Stop...), o.Wake
	w.events += len(o.Events)
}

// ready answers the first start.
func (w *world) ready() string {
	r := w.starts[0]
	w.starts = w.starts[1:]
	p := protocol.Process{ID: r.ID, PID: 100 + w.ids, ProcessType: r.ProcessType, Generation: r.Generation, State: protocol.Ready}
	w.crew.Spawned(w.now, r.ID, &p, nil)
	w.step()
	return r.ID
}

func (w *world) fail() {
	r := w.starts[0]
	w.starts = w.starts[1:]
	w.crew.Spawned(w.now, r.ID, nil, &protocol.SpawnError{Summary: "exited with status 7"})
	w.step()
}

// stopped answers the first stop.
func (w *world) stopped() {
	s := w.stops[0]
	w.stops = w.stops[1:]
	w.crew.Stopped(w.now, s.ID, true)
	w.step()
}

func (w *world) die(id string) {
	_, p := w.crew.find(id)
	r := p.record
	r.State, r.Exit = protocol.Exited, &protocol.Exit{Cause: "killed by SIGSEGV", Signal: "SIGSEGV"}
	w.crew.Listed(w.now, r)
	w.step()
}

func (w *world) pass(d time.Duration) { w.now = w.now.Add(d); w.step() }

// state is the crew in short: each process with its generation, "*" while it
// starts and "-" while it goes.
func (w *world) state() string {
	var words []string
	for _, k := range w.crew.sorted() {
		for _, p := range k.processes {
			word := fmt.Sprintf("%s:%s/%d", k.name, p.record.ID, p.record.Generation)
			if !p.ready {
				word += "*"
			}
			if p.why != "" {
				word += "-"
			}
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

func (w *world) want(state string) {
	w.t.Helper()
	if got := w.state(); got != state {
		w.t.Errorf("got %q, want %q", got, state)
	}
}

func TestNewGenerationTakesTheOldOnesPlaceOneByOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]protocol.SideProcess{"worker": {Count: new(2)}})
	w.step()
	w.want("worker:p1/1* worker:p2/1*")
	w.ready()
	w.ready()
	w.aim.Generation = 2
	w.step()
	w.want("worker:p1/1 worker:p2/1 worker:p3/2*")
	w.ready()
	w.want("worker:p1/1- worker:p2/1 worker:p3/2 worker:p4/2*")
	w.ready()
	w.want("worker:p1/1- worker:p2/1- worker:p3/2 worker:p4/2")
	w.stopped()
	w.stopped()
	w.want("worker:p3/2 worker:p4/2")
}

func TestExclusiveOnesEndBeforeNewOnesStart(t *testing.T) {
	t.Parallel()
	for name, alone := range map[string]bool{"by their settings": false, "by a blocking restart": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, map[string]protocol.SideProcess{"clock": {Exclusive: !alone}})
			w.step()
			w.ready()
			w.aim.Generation, w.aim.Alone = 2, alone
			w.step()
			w.aim.Alone = false // the restart is over before they are
			w.step()
			w.want("clock:p1/1-")
			w.stopped()
			w.want("clock:p2/2*")
		})
	}
}

func TestRequiredTypesAreTriedBesideTheOldOnes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]protocol.SideProcess{"mail": {}, "queue": {Required: true, Count: new(3)}})
	w.step()
	for len(w.starts) > 0 {
		w.ready()
	}
	const old = "mail:p1/1 queue:p2/1 queue:p3/1 queue:p4/1"
	w.want(old)
	trial := Trial{Config: w.aim.Config, Generation: 2}
	w.aim.Trial = &trial
	w.step()
	w.want(old + " queue:p5/2*")
	if done, err := w.crew.Tried(trial); done || err != nil {
		t.Errorf("got %v and %v while it starts", done, err)
	}
	w.fail()
	w.step()
	w.want(old)
	if done, err := w.crew.Tried(trial); done || err == nil || !strings.Contains(err.Error(), `side process "queue": exited with status 7`) {
		t.Errorf("got %v and %v after it failed", done, err)
	}
	if w.events != 0 || w.crew.kinds["queue"].failures != 0 {
		t.Error("the failure of a trial counts against the generation that works")
	}

	trial.Generation = 3
	w.step()
	w.want(old + " queue:p6/3*")
	w.ready()
	if done, err := w.crew.Tried(trial); !done || err != nil {
		t.Errorf("got %v and %v after it got ready", done, err)
	}
	w.aim.Trial = nil // and the app goes back
	w.step()
	w.want(old + " queue:p6/3-")
}

func TestFailedStartsAreTriedAgainWithGrowingPauses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]protocol.SideProcess{"worker": {}})
	w.step()
	for _, pause := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
		w.fail()
		w.want("")
		if got := w.wake.Sub(w.now); got != pause {
			t.Errorf("next try in %v, want %v", got, pause)
		}
		w.pass(pause)
	}
	if v := w.crew.View(w.now, w.aim.Config); v[0].State != protocol.AppBackoff || v[0].Failures != 3 || v[0].LastError == nil || w.events != 3 {
		t.Errorf("got %+v and %d events", v[0], w.events)
	}
	w.ready()
	if v := w.crew.View(w.now, w.aim.Config); v[0].State != protocol.AppReady || v[0].Failures != 0 || v[0].LastError != nil {
		t.Errorf("got %+v once one is ready", v[0])
	}
}

func TestThoseThatDieEarlyArePaused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]protocol.SideProcess{"worker": {}})
	w.step()
	for range 2 {
		id := w.ready()
		w.pass(time.Second)
		w.die(id)
		if len(w.starts) != 1 {
			t.Fatal("an early death is not replaced at once")
		}
	}
	id := w.ready()
	w.pass(time.Second)
	w.die(id)
	if len(w.starts) != 0 || w.wake.Sub(w.now) != time.Second {
		t.Errorf("got %d starts and a pause of %v, want one of 1s", len(w.starts), w.wake.Sub(w.now))
	}
	w.pass(time.Second)
	id = w.ready()
	w.pass(time.Hour)
	w.die(id)
	if len(w.starts) != 1 {
		t.Error("one that lived long is not replaced at once")
	}
}

func TestOthersThatAreToGoOrCome(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		do   func(w *world)
		want string
	}{
		{"fewer", func(w *world) { w.aim.Config.Processes["worker"] = protocol.SideProcess{Count: new(1)} }, "worker:p1/1 worker:p2/1-"},
		{"none", func(w *world) { w.aim.Config.Processes = nil }, "worker:p1/1- worker:p2/1-"},
		{"another type", func(w *world) { w.aim.Config.Processes["mail"] = protocol.SideProcess{Count: new(1)} }, "mail:p3/1* worker:p1/1 worker:p2/1"},
		{"too large", func(w *world) {
			w.aim.Config.Processes["worker"] = protocol.SideProcess{Count: new(2), MemoryLimit: 10}
			w.memory["p1"], w.memory["p2"] = 11<<20, 12<<20
		}, "worker:p1/1- worker:p2/1 worker:p3/1*"},
		{"detached", func(w *world) { w.crew.Detach("p2") }, "worker:p1/1 worker:p2/1- worker:p3/1*"},
		{"no room", func(w *world) {
			w.loading = 1
			w.aim.Config.Processes["worker"] = protocol.SideProcess{Count: new(5)}
		}, "worker:p1/1 worker:p2/1 worker:p3/1*"},
		{"taken back after it was accepted", func(w *world) { w.aim.Generation = 0; w.step(); w.aim.Generation = -1 }, "worker:p1/1- worker:p2/1- worker:p3/-1* worker:p4/-1*"},
		{"gone from the list", func(w *world) {
			w.crew.Listed(w.now, protocol.Process{ID: "p1", ProcessType: "worker", Generation: 1, State: protocol.Ready})
			w.crew.Missing(w.now, map[string]bool{"p2": true})
		}, "worker:p2/1 worker:p3/1*"},
		{"dismissed", func(w *world) { w.aim.Config.Processes = nil; w.stops = w.crew.Dismiss(w.now).Stop; w.stopped() }, "worker:p2/1-"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, map[string]protocol.SideProcess{"worker": {Count: new(2)}})
			w.step()
			w.ready()
			w.ready()
			tt.do(w)
			w.step()
			w.want(tt.want)
		})
	}
}

// A start that is not wanted any more is stopped, and again if the stop came first.
func TestStopOvertakesStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]protocol.SideProcess{"worker": {}})
	w.step()
	w.aim.Config.Processes = nil
	w.step()
	w.stopped()
	w.want("worker:p1/1*-")
	w.pass(time.Second)
	w.ready()
	w.stopped()
	w.want("")
}

func TestNextPoolTakesThemOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]protocol.SideProcess{"worker": {Count: new(2)}})
	for i, id := range []string{"a", "b"} {
		w.crew.Listed(w.now, protocol.Process{ID: id, ProcessType: "worker", Generation: 4 + i, State: protocol.Ready})
	}
	if got := w.crew.Generation(); got != 4 {
		t.Errorf("got generation %d, want that of the oldest", got)
	}
	w.aim.Generation = 5
	w.step()
	w.want("worker:a/4 worker:b/5 worker:p1/5*")
}

// A spawner of a former release starts a process that serves.
func TestOldSpawnerIsFoundOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]protocol.SideProcess{"worker": {}})
	w.step()
	w.crew.Spawned(w.now, "p1", &protocol.Process{ID: "p1", Generation: 1, State: protocol.Ready}, nil)
	w.step()
	w.want("worker:p1/1*-")
	if v := w.crew.View(w.now, w.aim.Config); v[0].LastError == nil || !strings.Contains(v[0].LastError.Summary, "does not know side processes") {
		t.Errorf("got %+v", v[0].LastError)
	}
}
