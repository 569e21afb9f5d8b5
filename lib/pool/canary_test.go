package pool

import (
	"strings"
	"testing"
	"time"

	"passenger/lib/protocol"
)

// withCanary is a world with two processes and a canary of ten minutes whose start
// was asked for.
func withCanary(t *testing.T, limits Limits) (*world, protocol.AppConfig) {
	t.Helper()
	c := settings("shop", 2, 0)
	w := serving(t, limits, c)
	g, err := w.p.Canary(w.now, c, nil, How{Cause: "command", Canary: Share{Of: 0.1, For: 10 * time.Minute}})
	if g != 2 || err != nil {
		t.Fatalf("got generation %d, %v", g, err)
	}
	w.decide()
	return w, c
}

func TestCanaryServesBesideTheOthersAndIsPromoted(t *testing.T) {
	t.Parallel()
	w, _ := withCanary(t, roomy)
	w.want("shop", "1:ready 1:ready 2:starting")
	w.ready()
	r := w.routes.Apps[0]
	if r.Canary == nil || r.Canary.Generation != 2 || r.Canary.Share != 0.1 || r.Generation != 1 || len(r.Processes) != 3 {
		t.Fatalf("got route %+v, want one with a canary", r)
	}
	if v := w.view("shop"); v.State != protocol.AppReady || v.Restart.Mode != modeCanary || v.Restart.State != protocol.RestartWatching || v.Generation != 1 {
		t.Errorf("got %+v", v)
	}
	w.served("p001", 1000, 10)
	w.served("p003", 100, 1)
	w.pass(9 * time.Minute)
	w.want("shop", "1:ready 1:ready 2:ready")
	w.wantOutcome("none")
	w.pass(time.Minute)
	w.run()
	w.pass(time.Minute)
	w.run()
	w.want("shop", "2:ready 2:ready")
	w.wantOutcome("shop 2")
	if r := w.routes.Apps[0]; r.Canary != nil || r.Generation != 2 {
		t.Errorf("got route %+v, want generation 2 alone", r)
	}
}

func TestCanaryThatIsNoGoodIsTakenBack(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		do    func(w *world)
		want  string
		state string
	}{
		{"it does not start", func(w *world) { w.fail("exited") }, "shop 2 exited", protocol.RestartFailed},
		{"it dies", func(w *world) { w.ready(); w.die("p003") }, "shop 2 killed by SIGSEGV", protocol.RestartRolledBack},
		{"it errs", func(w *world) { w.ready(); w.served("p001", 1000, 10); w.served("p003", 100, 10) },
			"shop 2 10 of 100 responses of generation 2 were errors; of those of the others, 10 of 1000", protocol.RestartRolledBack},
		{"it is slow", func(w *world) {
			w.ready()
			w.report.Processes["p001"] = protocol.ProcessReport{Processed: 100, Took: 1}
			w.report.Processes["p003"] = protocol.ProcessReport{Processed: 100, Took: 50}
			w.reports()
		}, "shop 2 100 responses of generation 2 took 500ms on average; those of the others 10ms", protocol.RestartRolledBack},
		{"a person says so", func(w *world) { w.ready(); _ = w.p.DecideCanary("shop", false); w.decide() },
			"shop 2 the canary of generation 2 was ended by a command", protocol.RestartRolledBack},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, _ := withCanary(t, roomy)
			w.proxied = true
			tt.do(w)
			if len(w.restarts) != 1 || !strings.HasPrefix(w.restarts[0].App+" 2 "+w.restarts[0].Err.Summary, tt.want) {
				t.Fatalf("got outcomes %+v, want %q", w.restarts, tt.want)
			}
			for len(w.stops) > 0 {
				w.stopped()
			}
			w.pass(time.Minute)
			for len(w.stops) > 0 {
				w.stopped()
			}
			w.want("shop", "1:ready 1:ready")
			if v := w.view("shop"); v.Restart.State != tt.state || v.Failures != 0 {
				t.Errorf("got %+v and %d failures, want %s", v.Restart, v.Failures, tt.state)
			}
			if n := len(w.events); n == 0 || w.events[n-1].Event != protocol.EventDeployFailed && w.events[n-1].Event != protocol.EventDetached {
				t.Errorf("got events %+v", w.events)
			}
		})
	}
}

func TestCanaryIsPromotedByHand(t *testing.T) {
	t.Parallel()
	w, _ := withCanary(t, roomy)
	if err := w.p.DecideCanary("shop", true); err == nil {
		t.Error("a canary that does not serve is promoted")
	}
	w.ready()
	if err := w.p.DecideCanary("shop", true); err != nil {
		t.Error(err)
	}
	w.decide()
	w.pass(time.Minute)
	w.run()
	w.pass(time.Minute)
	w.run()
	w.want("shop", "2:ready 2:ready")
	w.wantOutcome("shop 2")
	if err := w.p.DecideCanary("shop", true); err == nil {
		t.Error("there is no canary any more")
	}
}

// What happens to the others is as without a canary: they are replaced, by their
// own generation.
func TestOthersAreReplacedBesideACanary(t *testing.T) {
	t.Parallel()
	w, c := withCanary(t, roomy)
	w.ready()
	w.die("p001")
	w.want("shop", "1:ready 2:ready 1:starting")
	w.ready()
	if _, err := w.p.Canary(w.now, c, nil, How{Canary: Share{Of: 0.5, For: time.Minute}}); err == nil {
		t.Error("there is a canary already")
	}
	w.p.Restart(w.now, c, nil, How{Cause: "command"}) // another restart ends it
	w.decide()
	if v := w.view("shop"); v.Generation != 3 || v.Restart.Mode != modeRolling {
		t.Errorf("got %+v, want generation 3", v.Restart)
	}
	w.pass(time.Minute)
	w.run()
	w.pass(time.Minute)
	w.run()
	w.want("shop", "3:ready 3:ready")
}

func TestCanaryOutlivesThePool(t *testing.T) {
	t.Parallel()
	w, c := withCanary(t, roomy)
	w.ready()
	w.pass(4 * time.Minute)
	w.crash(c)
	w.tell()
	w.want("shop", "1:ready 1:ready 2:ready")
	w.pass(5 * time.Minute)
	w.want("shop", "1:ready 1:ready 2:ready")
	w.pass(time.Minute)
	w.run()
	w.pass(time.Minute)
	w.run()
	w.want("shop", "2:ready 2:ready")
}
