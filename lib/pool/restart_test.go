package pool

import (
	"fmt"
	"testing"
	"time"

	"passenger/lib/protocol"
)

func (w *world) restart(c protocol.AppConfig, blocking bool) int {
	w.t.Helper()
	generation, ok := w.p.Restart(w.now, c, nil, How{Blocking: blocking, Cause: "command"})
	if !ok {
		w.t.Fatalf("no app %q", c.Name)
	}
	w.decide()
	w.useTable()
	return generation
}

func (w *world) wantOutcome(want string) {
	w.t.Helper()
	got := "none"
	for _, o := range w.restarts {
		got = fmt.Sprintf("%s %d", o.App, o.Generation)
		if o.Err != nil {
			got += " " + o.Err.Summary
		}
		if !o.Serving {
			got += ", nothing serves"
		}
	}
	if got != want {
		w.t.Fatalf("outcome: got %q, want %q", got, want)
	}
}

func TestRollingRestartSurges(t *testing.T) {
	t.Parallel()
	c := settings("shop", 2, 0)
	w := serving(t, roomy, c)
	w.inFlight("p001", 1)
	if got := w.restart(c, false); got != 2 {
		t.Errorf("generation %d, want 2", got)
	}
	w.want("shop", "1:ready 1:ready 2:starting 2:starting")
	if got := w.view("shop").State; got != protocol.AppRestarting {
		t.Errorf("state %q", got)
	}
	w.ready()
	w.want("shop", "1:ready 1:stopping 2:ready 2:starting") // the idle one goes first
	w.ready()
	w.want("shop", "1:ready 1:stopping 2:ready 2:ready") // the other one is busy
	w.pass(settleTime)
	w.want("shop", "1:draining 1:stopping 2:ready 2:ready")
	w.stopped()
	w.wantRoute("shop", "p001(draining) p003 p004")
	w.wantOutcome("none")
	w.inFlight("p001", 0)
	w.want("shop", "1:stopping 2:ready 2:ready")
	w.stopped()
	w.want("shop", "2:ready 2:ready")
	w.wantOutcome("shop 2")
}

func TestNewProcessesOfABusyAppSettleFirst(t *testing.T) {
	t.Parallel()
	c := settings("shop", 2, 0)
	w := serving(t, roomy, c)
	w.inFlight("p001", 1)
	w.inFlight("p002", 1)
	w.restart(c, false)
	w.ready()
	w.ready()
	w.wantRoute("shop", "p001 p002 p003 p004")
	w.pass(settleTime - time.Millisecond)
	w.wantRoute("shop", "p001 p002 p003 p004")
	w.pass(time.Millisecond)
	w.useTable()
	w.wantRoute("shop", "p001(draining) p002(draining) p003 p004")
	w.inFlight("p001", 0)
	w.inFlight("p002", 0)
	w.run()
	w.wantOutcome("shop 2")
}

func TestRollingRestartWithoutRoomGoesInPlace(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		most  int
		limit int
	}{
		{"the app's maximum", 2, 20},
		{"the pool's maximum", 0, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := settings("shop", 2, tt.most)
			w := serving(t, Limits{Processes: tt.limit, Starting: 5}, c)
			w.restart(c, false)
			w.want("shop", "1:stopping 1:ready")
			w.pass(time.Minute)
			w.want("shop", "1:stopping 1:ready")
			w.stopped()
			w.want("shop", "1:ready 2:starting")
			w.ready()
			w.want("shop", "1:stopping 2:ready")
			w.stopped()
			w.want("shop", "2:ready 2:starting")
			w.ready()
			w.wantOutcome("shop 2")
		})
	}
}

func TestFailedRestartKeepsTheOldGeneration(t *testing.T) {
	t.Parallel()
	c := settings("shop", 2, 0)
	w := serving(t, roomy, c)
	changed := c
	changed.EnvVars = map[string]string{"COLOUR": "red"}
	w.restart(changed, false)
	w.fail("syntax error")
	w.wantOutcome("shop 2 syntax error")
	w.want("shop", "1:ready 1:ready 2:stopping")
	w.fail("syntax error") // the second was still on its way
	w.run()
	w.want("shop", "1:ready 1:ready")
	v := w.view("shop")
	if v.Generation != 1 || v.State != protocol.AppReady || v.LastError == nil || !v.NextTry.IsZero() {
		t.Errorf("got %+v, want generation 1 with its last error", v)
	}
	w.pass(time.Hour)
	w.want("shop", "1:ready 1:ready") // the pool does not try the new one again
	w.die("p001")
	if got := w.next(); got.Generation != 1 || len(got.Config.EnvVars) != 0 {
		t.Errorf("replaced by %+v, want generation 1 with its own settings", got)
	}
	w.restarts = nil
	if got := w.restart(c, false); got != 3 {
		t.Errorf("the next generation is %d, want 3: a failed number is not used again", got)
	}
}

func TestFailedRestartInPlaceBringsTheOldGenerationBack(t *testing.T) {
	t.Parallel()
	c := settings("shop", 2, 2)
	w := serving(t, roomy, c)
	w.restart(c, false)
	w.stopped()
	w.fail("syntax error")
	w.wantOutcome("shop 2 syntax error")
	w.want("shop", "1:ready 1:starting") // it is no fault of the old generation's
	w.ready()
	w.want("shop", "1:ready 1:ready")
}

func TestFailedRestartOfTheOnlyProcessInPlaceSaysSo(t *testing.T) {
	t.Parallel()
	c := settings("shop", 1, 1)
	w := serving(t, roomy, c)
	w.restart(c, false)
	w.stopped()
	w.wantRoute("shop", "") // requests wait
	w.fail("syntax error")
	w.wantOutcome("shop 2 syntax error, nothing serves")
	w.wantRoute("shop", "error: syntax error")
	w.pass(time.Second)
	w.want("shop", "2:starting")
}

func TestRestartGoesOnWhenALaterStartFails(t *testing.T) {
	t.Parallel()
	c := settings("shop", 3, 0)
	w := serving(t, roomy, c)
	w.restart(c, false)
	w.ready()
	for range restartTries {
		w.wantOutcome("none")
		for len(w.starts) > 0 {
			w.fail("too many connections")
		}
		w.pass(time.Minute)
	}
	w.run()
	w.want("shop", "2:ready 2:ready 2:ready")
	w.wantOutcome("shop 2")
}

func TestBlockingRestartStopsFirst(t *testing.T) {
	t.Parallel()
	c := settings("shop", 2, 0)
	w := serving(t, roomy, c)
	w.restart(c, true)
	w.queue("shop", 9)
	w.want("shop", "1:stopping 1:stopping")
	w.stopped()
	w.want("shop", "1:stopping")
	w.stopped()
	w.queue("shop", 0)
	w.run()
	w.wantOutcome("shop 2")
}

func TestBlockingRestartThatFails(t *testing.T) {
	t.Parallel()
	c := settings("shop", 1, 0)
	w := serving(t, roomy, c)
	w.restart(c, true)
	w.stopped()
	w.fail("syntax error")
	w.wantOutcome("shop 2 syntax error, nothing serves")
}

func TestRestartsCoalesce(t *testing.T) {
	t.Parallel()
	c := settings("shop", 2, 0)
	w := serving(t, roomy, c)
	w.restart(c, false)
	w.ready()
	w.want("shop", "1:stopping 1:ready 2:ready 2:starting")
	w.restart(c, false)
	w.want("shop", "1:stopping 1:ready 2:ready 2:stopping 3:starting 3:starting")
	w.run()
	w.want("shop", "3:ready 3:ready")
	w.wantOutcome("shop 3")
	if len(w.restarts) != 1 {
		t.Errorf("%d outcomes, want 1", len(w.restarts))
	}
}

func TestRestartMendsAnAppThatFailed(t *testing.T) {
	t.Parallel()
	c := settings("shop", 1, 0)
	w := newWorld(t, roomy)
	w.p.Put(w.now, c)
	w.tell()
	w.fail("no such gem")
	w.restart(c, false)
	w.want("shop", "2:starting") // at once
	w.wantRoute("shop", "")      // and requests wait for it
	w.ready()
	w.wantOutcome("shop 2")
}

func TestRestartOfAnAppWithoutProcesses(t *testing.T) {
	t.Parallel()
	c := settings("shop", 0, 0)
	w := serving(t, roomy, c)
	w.restart(c, false)
	w.wantOutcome("shop 2, nothing serves")
	w.queue("shop", 1)
	w.want("shop", "2:starting")
}

func TestRestartSurvivesTheDeathOfANewProcess(t *testing.T) {
	t.Parallel()
	c := settings("shop", 1, 0)
	w := serving(t, roomy, c)
	w.inFlight("p001", 1)
	w.restart(c, false)
	w.die(w.ready())
	w.run()
	w.inFlight("p001", 0)
	w.run()
	w.want("shop", "2:ready")
	w.wantOutcome("shop 2")
}

func TestChangedSettingsReplaceProcesses(t *testing.T) {
	t.Parallel()
	c := settings("shop", 1, 0)
	w := serving(t, roomy, c)
	w.p.Put(w.now, c)
	w.decide()
	if got := w.view("shop").Generation; got != 1 {
		t.Fatalf("generation %d after the same settings again", got)
	}
	c.ServerNames = []string{"shop.example.com"}
	w.p.Put(w.now, c)
	w.decide()
	if got := w.view("shop").Generation; got != 1 {
		t.Fatalf("generation %d after a change of routes only", got)
	}
	if got := w.routes.Apps[0].ServerNames; len(got) != 1 {
		t.Fatalf("the table has the names %v", got)
	}
	c.EnvVars = map[string]string{"COLOUR": "red"}
	w.p.Put(w.now, c)
	w.decide()
	w.want("shop", "1:ready 2:starting")
	w.run()
	w.want("shop", "2:ready")
}

func TestRestartGoesOnAfterTheDeathOfThePool(t *testing.T) {
	t.Parallel()
	c := settings("shop", 2, 0)
	w := serving(t, roomy, c)
	w.restart(c, false)
	w.ready()
	w.crash(c)
	w.tell()
	w.reports()
	w.want("shop", "1:stopping 1:ready 2:ready 2:starting")
	// The start that the dead pool asked for is told by the list.
	w.become("p004", 1)
	w.tell()
	w.useTable()
	w.run()
	w.want("shop", "2:ready 2:ready")
	w.wantOutcome("shop 2")
}
