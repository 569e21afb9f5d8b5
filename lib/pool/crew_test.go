package pool

import (
	"strings"
	"testing"
	"time"

	"passenger/lib/protocol"
)

// crewed is an app with side processes.
func crewed(specs map[string]protocol.SideProcess) protocol.AppConfig {
	c := settings("shop", 1, 0)
	c.Processes = specs
	for kind, s := range specs {
		s.Count = ptr(1)
		specs[kind] = s
	}
	return c
}

// sides has each start of a side process succeed or fail, and each stop end, and
// says which starts there were: their type and generation.
func (w *world) sides(fail bool) string {
	w.t.Helper()
	var started []string
	for again := true; again; {
		again = false
		for i, r := range w.starts {
			if r.ProcessType == "" {
				continue
			}
			w.starts = append(w.starts[:i:i], w.starts[i+1:]...)
			started = append(started, r.ProcessType+" "+string(rune('0'+r.Generation)))
			outcome := Spawned{ID: r.ID, Err: &protocol.SpawnError{Summary: "exited"}}
			if !fail {
				p := w.list[r.ID]
				p.ProcessType, p.State = r.ProcessType, protocol.Ready
				w.put(r.ID, p)
				outcome = Spawned{ID: r.ID, Process: &p}
			} else {
				delete(w.list, r.ID)
			}
			w.p.Spawned(w.now, outcome)
			w.decide()
			again = true
			break
		}
	}
	return strings.Join(started, ", ")
}

func (w *world) wantSides(got, want string) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("got starts %q, want %q", got, want)
	}
}

func TestSideProcessesFollowOnceTheGenerationIsAccepted(t *testing.T) {
	t.Parallel()
	c := crewed(map[string]protocol.SideProcess{"worker": {}})
	c.TrialTime = ptr(3.0)
	w := newWorld(t, roomy)
	w.tell()
	w.p.Put(w.now, c)
	w.decide()
	w.wantSides(w.sides(false), "worker 1")
	w.ready()
	w.p.Restart(w.now, c, nil, How{Cause: "command"})
	w.decide()
	w.ready()
	w.wantSides(w.sides(false), "")
	w.pass(4 * time.Second)
	w.wantSides(w.sides(false), "worker 2")
	if len(w.stops) == 0 {
		t.Error("the old one is not stopped")
	}
}

func TestRequiredSideProcessDecidesTheDeploy(t *testing.T) {
	t.Parallel()
	for _, fail := range []bool{false, true} {
		c := crewed(map[string]protocol.SideProcess{"worker": {Required: true}})
		w := newWorld(t, roomy)
		w.tell()
		w.p.Put(w.now, c)
		w.decide()
		w.wantSides(w.sides(false), "worker 1")
		w.ready()
		w.p.Restart(w.now, c, nil, How{Cause: "command"})
		w.decide()
		w.ready()
		w.wantOutcome("none")
		w.wantSides(w.sides(fail), "worker 2")
		if fail {
			w.wantOutcome(`shop 2 side process "worker": exited`)
			if v := w.view("shop"); v.Generation != 1 || v.Restart.State != protocol.RestartRolledBack || v.Side[0].State != protocol.AppReady || v.Side[0].Generation != 1 {
				t.Errorf("got %+v, want generation 1 at work", v)
			}
			continue
		}
		w.pass(time.Minute) // no proxy is heard
		w.run()
		w.wantOutcome("shop 2")
	}
}

// An app goes when its last side process has gone.
func TestRemovalWaitsForSideProcesses(t *testing.T) {
	t.Parallel()
	c := crewed(map[string]protocol.SideProcess{"worker": {}})
	c.MinInstances = ptr(0)
	w := newWorld(t, roomy)
	w.tell()
	w.p.Put(w.now, c)
	w.decide()
	w.wantSides(w.sides(false), "worker 1")
	w.p.Remove(w.now, "shop")
	w.decide()
	if len(w.removed) != 0 {
		t.Error("it is gone before its side process")
	}
	w.stopped()
	if len(w.removed) != 1 {
		t.Error("it is not gone with its side process")
	}
}

// The next pool knows side processes by their records, in the midst of a deploy too.
func TestSideProcessesOutliveThePool(t *testing.T) {
	t.Parallel()
	c := crewed(map[string]protocol.SideProcess{"worker": {}})
	c.TrialTime = ptr(60.0)
	w := newWorld(t, roomy)
	w.tell()
	w.p.Put(w.now, c)
	w.decide()
	w.sides(false)
	w.ready()
	w.p.Restart(w.now, c, nil, How{Cause: "command"})
	w.decide()
	w.ready()
	w.crash(c)
	w.tell()
	w.wantSides(w.sides(false), "")
	if v := w.view("shop"); len(v.Side) != 1 || len(v.Side[0].Processes) != 1 || v.Side[0].Generation != 1 {
		t.Errorf("got %+v, want the old one at work", v.Side)
	}
	if len(w.p.apps["shop"].processes) != 2 {
		t.Errorf("got %d processes that serve, want the two", len(w.p.apps["shop"].processes))
	}
}
