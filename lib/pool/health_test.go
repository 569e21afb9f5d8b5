package pool

import (
	"testing"
	"time"

	"passenger/lib/protocol"
)

func checked(name string, least, most int) protocol.AppConfig {
	c := settings(name, least, most)
	c.HealthPath = "/up"
	return c
}

func TestProcessServesOnceItPassedItsCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t, roomy)
	w.p.Put(w.now, checked("shop", 1, 0))
	w.tell()
	w.reports()
	w.ready()
	w.want("shop", "1:starting")
	w.wantRoute("shop", "")
	w.tell() // the list says again that it is ready
	if len(w.checks) != 1 || w.checks[0].Process.PID == 0 || w.checks[0].Config.HealthPath != "/up" {
		t.Fatalf("got checks %+v, want one of the process with its settings", w.checks)
	}
	w.answer("")
	w.wantRoute("shop", "p001")
}

func TestProcessThatFailsItsCheckIsStoppedAndBacksOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, roomy)
	w.p.Put(w.now, checked("shop", 1, 0))
	w.tell()
	w.reports()
	w.ready()
	w.answer("status 500")
	w.want("shop", "1:stopping")
	w.wantRoute("shop", "p001(draining) error: status 500")
	w.stopped()
	w.want("shop", "")
	w.pass(time.Second)
	w.want("shop", "1:starting")
}

func TestReleaseThatFailsItsCheckLeavesTheOldOneServing(t *testing.T) {
	t.Parallel()
	c := checked("shop", 2, 0)
	w := serving(t, roomy, c)
	w.restart(c, false)
	w.ready()
	w.ready()
	w.wantRoute("shop", "p001 p002")
	w.answer("status 500")
	w.wantOutcome("shop 2 status 500")
	w.run()
	w.want("shop", "1:ready 1:ready")
	w.wantRoute("shop", "p001 p002")
	v := w.view("shop")
	if r := v.Restart; r == nil || r.State != protocol.RestartFailed || r.Generation != 2 || r.Error.Summary != "status 500" ||
		!r.EndedAt.Equal(w.now) {
		t.Errorf("got restart %+v, want the failed one", v.Restart)
	}
}

func TestCheckOfAProcessThatDiedIsForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, roomy)
	w.p.Put(w.now, checked("shop", 1, 0))
	w.tell()
	w.die(w.ready())
	w.want("shop", "")
	w.answer("")
	w.want("shop", "")
	if v := w.view("shop"); v.Failures != 1 {
		t.Errorf("%d failures, want 1", v.Failures)
	}
}

func TestCheckGoesOnAfterTheDeathOfThePool(t *testing.T) {
	t.Parallel()
	c := checked("shop", 1, 0)
	w := serving(t, roomy, c)
	w.restart(c, false)
	w.ready()
	w.crash(c)
	w.tell()
	w.wantRoute("shop", "p001") // what served serves, what did not is checked
	w.run()
	w.reports()
	w.run()
	w.want("shop", "2:ready")
}
