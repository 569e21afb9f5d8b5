package pool

import (
	"testing"
	"time"

	"passenger/lib/protocol"
)

// watched makes a world in which a new generation just took over and is
// watched: p001 and p002 are old, p003 and p004 new.
func watched(t *testing.T) (*world, protocol.AppConfig) {
	t.Helper()
	c := settings("shop", 2, 0)
	w := serving(t, roomy, c)
	w.p.Restart(c, How{WatchErrors: 0.1, Cause: "command"})
	w.decide()
	w.run()
	w.want("shop", "1:draining 2:ready 2:ready")
	return w, c
}

func TestGoodGenerationStaysAfterItsWatch(t *testing.T) {
	t.Parallel()
	w, _ := watched(t)
	w.served("p003", 1000, 100)
	w.wantOutcome("none")
	if v := w.view("shop"); v.State != protocol.AppReady || v.Restart.State != protocol.RestartWatching ||
		!v.Restart.WatchedUntil.Equal(w.now.Add(watchTime)) {
		t.Errorf("got %+v, want a ready app that is watched for a minute", v)
	}
	w.pass(watchTime)
	w.run()
	w.pass(time.Second)
	w.want("shop", "2:ready 2:ready")
	w.wantOutcome("shop 2")
}

func TestGenerationWithErrorsIsTakenBack(t *testing.T) {
	t.Parallel()
	w, c := watched(t)
	w.served("p003", fewest-1, fewest-1) // too few to judge by
	w.wantOutcome("none")
	w.served("p003", 100, 11)
	w.wantOutcome("shop 2 11 of 100 responses of generation 2 were errors; watch_errors allows 10 %")
	w.want("shop", "1:ready 2:stopping 2:ready 1:starting") // one of the bad ones at once
	w.run()
	w.want("shop", "1:ready 1:ready")
	if v := w.view("shop"); v.Generation != 1 || v.Restart.State != protocol.RestartRolledBack || v.Restart.Generation != 2 {
		t.Errorf("got %+v, want generation 1 again", v)
	}
	if len(w.restarts) != 1 {
		t.Errorf("%d outcomes, want 1", len(w.restarts))
	}
	if generation, _ := w.p.Restart(c, How{}); generation != 3 {
		t.Errorf("the next generation is %d, want 3", generation)
	}
}

func TestGenerationIsJudgedWhileItTakesOver(t *testing.T) {
	t.Parallel()
	c := settings("shop", 2, 0)
	w := serving(t, roomy, c)
	w.p.Restart(c, How{WatchErrors: 0.1})
	w.decide()
	w.ready()
	w.want("shop", "1:stopping 1:ready 2:ready 2:starting")
	w.served("p003", 20, 20)
	w.run()
	w.want("shop", "1:ready 1:ready")
}

func TestErrorsOfProcessesThatDiedCount(t *testing.T) {
	t.Parallel()
	w, _ := watched(t)
	w.served("p003", 50, 50)
	w.die("p003")
	w.run()
	if v := w.view("shop"); v.Generation != 1 {
		t.Errorf("generation %d, want 1 again", v.Generation)
	}
}

func TestRestartDuringAWatchEndsIt(t *testing.T) {
	t.Parallel()
	w, c := watched(t)
	w.restart(c, false)
	w.run()
	w.want("shop", "3:ready 3:ready")
	w.wantOutcome("shop 3")
}

func TestAppIsRemovedDuringAWatch(t *testing.T) {
	t.Parallel()
	w, _ := watched(t)
	w.p.Remove("shop")
	w.decide()
	w.useTable()
	w.run()
	w.want("shop", "none")
}

func TestNothingIsKeptWhereThereIsNoRoom(t *testing.T) {
	t.Parallel()
	c := settings("shop", 1, 1)
	w := serving(t, roomy, c)
	w.p.Restart(c, How{WatchErrors: 0.1})
	w.decide()
	w.useTable()
	w.run()
	w.want("shop", "2:ready")
	w.served("p002", 100, 100)
	w.want("shop", "2:ready")
	w.pass(watchTime)
	w.wantOutcome("shop 2")
}
