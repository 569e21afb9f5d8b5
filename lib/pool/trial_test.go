package pool

import (
	"fmt"
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
	w.p.Restart(w.now, c, nil, How{WatchErrors: ptr(0.1), Cause: "command"})
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
	if generation, _ := w.p.Restart(w.now, c, nil, How{}); generation != 3 {
		t.Errorf("the next generation is %d, want 3", generation)
	}
}

func TestGenerationIsJudgedWhileItTakesOver(t *testing.T) {
	t.Parallel()
	c := settings("shop", 2, 0)
	w := serving(t, roomy, c)
	w.p.Restart(w.now, c, nil, How{WatchErrors: ptr(0.1)})
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

// TestRestartWhileAGenerationIsTakenBack also fails: what serves then is the
// generation before both, not the one that was just found bad.
func TestRestartWhileAGenerationIsTakenBack(t *testing.T) {
	t.Parallel()
	w, c := watched(t)
	w.served("p003", 100, 50)
	w.wantOutcome("shop 2 50 of 100 responses of generation 2 were errors; watch_errors allows 10 %")
	w.want("shop", "1:ready 2:stopping 2:ready 1:starting")
	w.restart(c, false)
	w.fail("stopped before it was ready") // that of generation 1
	w.fail("no such gem")
	w.run()
	w.want("shop", "1:ready 1:ready")
	if v := w.view("shop"); v.Generation != 1 {
		t.Errorf("generation %d serves, want 1", v.Generation)
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
	w.p.Remove(w.now, "shop")
	w.decide()
	w.useTable()
	w.run()
	w.want("shop", "none")
}

func TestNothingIsKeptWhereThereIsNoRoom(t *testing.T) {
	t.Parallel()
	c := settings("shop", 1, 1)
	w := serving(t, roomy, c)
	w.p.Restart(w.now, c, nil, How{WatchErrors: ptr(0.1)})
	w.decide()
	w.useTable()
	w.run()
	w.want("shop", "2:ready")
	w.served("p002", 100, 100)
	w.want("shop", "2:ready")
	w.pass(watchTime)
	w.wantOutcome("shop 2")
}

// tried makes a world whose app's new generation just took over and is on
// trial: p001 and p002 are old, p003 and p004 new.
func tried(t *testing.T, limits Limits, c protocol.AppConfig) *world {
	t.Helper()
	w := serving(t, limits, c)
	w.restart(c, false)
	w.ready()
	return w
}

// onTrial are settings with the trial that is the default.
func onTrial(least, most int) protocol.AppConfig {
	c := settings("shop", least, most)
	c.TrialTime = nil
	return c
}

func TestOldProcessesAreKeptUntilTheTrialIsOver(t *testing.T) {
	t.Parallel()
	c := onTrial(2, 0)
	w := tried(t, roomy, c)
	w.ready()
	w.want("shop", "1:draining 1:draining 2:ready 2:ready")
	w.wantRoute("shop", "p001(draining) p002(draining) p003 p004")
	if v := w.view("shop"); v.State != protocol.AppRestarting || v.Restart.State != protocol.RestartWatching {
		t.Errorf("got state %q and restart %+v, want a restart whose generation is watched", v.State, v.Restart)
	}
	w.pass(trialTime - time.Millisecond)
	w.wantOutcome("none")
	w.pass(time.Millisecond)
	w.run()
	w.want("shop", "2:ready 2:ready")
	w.wantOutcome("shop 2")
}

func TestDeathDuringTheTrialTakesTheOldGenerationBack(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		least  int
		after  time.Duration
		limits Limits
		most   int
	}{
		{"at once", 2, 0, roomy, 0},
		{"late", 2, trialTime - time.Millisecond, roomy, 0},
		{"the only one", 1, 150 * time.Millisecond, roomy, 1},
		{"the pool is full", 2, 150 * time.Millisecond, Limits{Processes: 2, Starting: 2, Surge: 1}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.limits.Surge = 1
			w := serving(t, tt.limits, onTrial(tt.least, tt.most))
			w.restart(w.p.apps["shop"].config, false)
			id := ""
			for id == "" || len(w.starts) > 0 {
				id = w.ready()
				w.pass(tt.after)
				for len(w.stops) > 0 {
					w.stopped()
				}
			}
			w.die(id)
			w.run()
			if got := w.view("shop"); got.Generation != 1 || got.Restart.State != protocol.RestartRolledBack {
				t.Errorf("generation %d, restart %+v; want generation 1 again", got.Generation, got.Restart)
			}
			for _, q := range w.p.apps["shop"].processes {
				if q.record.Generation != 1 {
					t.Errorf("a process of generation %d is left", q.record.Generation)
				}
			}
			w.wantOutcome("shop 2 killed by SIGSEGV " + seconds1(tt.after) + " after it was ready")
			if !w.restarts[0].TakenBack || !w.restarts[0].Serving {
				t.Errorf("got %+v, want it taken back with the old one serving", w.restarts[0])
			}
		})
	}
}

func seconds1(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }

func TestWatchedGenerationThatDiesIsTakenBack(t *testing.T) {
	t.Parallel()
	w, _ := watched(t)
	w.pass(10 * time.Second)
	w.die("p003")
	w.wantOutcome("shop 2 killed by SIGSEGV 10.0s after it was ready")
	w.want("shop", "1:ready 2:ready 1:starting")
}

func TestOneKillFromOutsideDuringTheTrialIsForgiven(t *testing.T) {
	t.Parallel()
	w := tried(t, roomy, onTrial(1, 0))
	w.pass(time.Second)
	w.end("p002", "SIGKILL")
	w.wantOutcome("none")
	w.ready()
	w.pass(trialTime)
	w.run()
	w.wantOutcome("shop 2")

	w = tried(t, roomy, onTrial(1, 0))
	w.end("p002", "SIGKILL")
	w.end(w.ready(), "SIGKILL")
	w.run()
	w.want("shop", "1:ready")
}

func TestGenerationThatIsFarWorseIsTakenBack(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, onTrial(2, 0))
	w.served("p001", 100, 1)
	w.restart(w.p.apps["shop"].config, false)
	w.ready()
	w.ready()
	w.want("shop", "1:ready 1:ready 2:ready 2:ready") // the app is used: the new ones settle first
	w.served("p003", 12, 12)
	w.wantOutcome("shop 2 12 of 12 responses of generation 2 were errors; of those before it, 1 of 100")
	w.want("shop", "1:ready 1:ready 2:stopping 2:stopping")
	w.run()
	w.want("shop", "1:ready 1:ready")
}

func TestWithoutATrialNothingIsJudged(t *testing.T) {
	t.Parallel()
	c := settings("shop", 2, 0)
	w := serving(t, roomy, c)
	w.served("p001", 100, 0)
	w.restart(c, false)
	w.ready()
	w.served("p003", 50, 50)
	w.run()
	w.want("shop", "2:ready 2:ready")
	w.wantOutcome("shop 2")
}

func TestGenerationIsNotJudgedByErrorsThatAreNoneOfItsDoing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name              string
		rate              *float64
		processed, errors uint64 // of the generation before
	}{
		{"it was always so", nil, 100, 100},
		{"few requests", nil, 3, 0},
		{"it is off", ptr(0.0), 100, 0},
	} {
		w := serving(t, roomy, onTrial(1, 0))
		w.served("p001", tt.processed, tt.errors)
		w.p.Restart(w.now, w.p.apps["shop"].config, nil, How{WatchErrors: tt.rate})
		w.decide()
		w.ready()
		w.served("p002", 50, 50)
		w.pass(settleTime + trialTime)
		w.run()
		w.wantOutcome("shop 2")
	}
}

// What a proxy counted before this pool heard of it may be of another day.
func TestHistoryOfAProxyIsNotOfTheLastMinute(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, onTrial(1, 0))
	w.p.proxies = map[string]*proxy{}
	w.served("p001", 100, 0)
	if got := w.p.apps["shop"].history.sum(w.now); got.processed != 0 {
		t.Errorf("%d answers in the last minute, want none that is known", got.processed)
	}
	w.served("p001", 150, 0)
	if got := w.p.apps["shop"].history.sum(w.now); got.processed != 50 {
		t.Errorf("%d answers in the last minute, want 50", got.processed)
	}
}

func TestTrialOutlivesThePool(t *testing.T) {
	t.Parallel()
	c := onTrial(2, 0)
	w := tried(t, roomy, c)
	w.ready()
	w.crash(c)
	w.tell()
	w.reports()
	w.want("shop", "1:draining 1:draining 2:ready 2:ready")
	w.die("p003")
	w.run()
	w.want("shop", "1:ready 1:ready")
}

func TestTrialWithNothingToGoBackTo(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, onTrial(2, 0))
	w.restart(w.p.apps["shop"].config, true)
	w.stopped()
	w.stopped()
	w.ready()
	w.ready()
	w.pass(time.Second)
	w.die("p003") // the other one serves: the trial begins anew
	w.ready()
	w.pass(trialTime - time.Millisecond)
	w.wantOutcome("none")
	w.die("p004")
	w.die("p005")
	w.wantOutcome("shop 2 killed by SIGSEGV 3.0s after it was ready, nothing serves")
}

func TestKeptProcessesMakeRoom(t *testing.T) {
	t.Parallel()
	c := onTrial(2, 0)
	w := serving(t, Limits{Processes: 4, Starting: 4}, c, settings("blog", 0, 0))
	w.restart(c, false)
	w.ready()
	w.ready()
	w.want("shop", "1:draining 1:draining 2:ready 2:ready")
	w.queue("blog", 1)
	w.stopped()
	w.want("shop", "1:draining 2:ready 2:ready")
	w.want("blog", "1:starting")
}

func TestRestartGoesOverTheMaximumByOne(t *testing.T) {
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
			c := onTrial(2, tt.most)
			w := serving(t, Limits{Processes: tt.limit, Starting: 5, Surge: 1}, c)
			w.restart(c, false)
			w.want("shop", "1:ready 1:ready 2:starting")
			w.pass(time.Minute) // it hangs
			w.want("shop", "1:ready 1:ready 2:starting")
			w.ready()
			w.want("shop", "1:draining 1:ready 2:ready") // all could serve again
			w.pass(trialTime)
			w.want("shop", "1:stopping 1:ready 2:ready")
			w.stopped()
			w.want("shop", "1:ready 2:ready 2:starting")
			w.ready()
			w.run()
			w.want("shop", "2:ready 2:ready")
			w.wantOutcome("shop 2")
		})
	}
}

// A deploy may have changed the files in place: what is started after a
// generation was taken back would be that one again.
func TestNothingIsStartedWhenAGenerationIsTakenBack(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		most  int
		limit int
	}{
		{"the app is full", 3, 20},
		{"the pool is full", 0, 3},
		{"there is room", 0, 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := onTrial(3, tt.most)
			w := serving(t, Limits{Processes: tt.limit, Starting: 1, Surge: 1}, c)
			w.restart(c, false)
			w.ready()
			w.die("p004")
			w.run()
			w.want("shop", "1:ready 1:ready 1:ready")
			w.wantOutcome("shop 2 killed by SIGSEGV 0.0s after it was ready")
		})
	}
}

func TestRestartStaysWithinTheMaximum(t *testing.T) {
	t.Parallel()
	none := settings("shop", 2, 2)
	none.RestartSurge = ptr(0)
	for _, tt := range []struct {
		name   string
		c      protocol.AppConfig
		limits Limits
		host   Host
	}{
		{"the app's settings", none, Limits{Processes: 20, Starting: 5, Surge: 1}, Host{}},
		{"the pool's", settings("shop", 2, 2), Limits{Processes: 20, Starting: 5}, Host{}},
		{"no memory", settings("shop", 2, 2), Limits{Processes: 20, Starting: 5, Surge: 1},
			Host{Host: protocol.Host{MemoryFree: 1 << 20}, Processes: map[string]int64{"p001": 2 << 20, "p002": 2 << 20}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := serving(t, tt.limits, tt.c)
			w.p.Measured(tt.host)
			w.restart(tt.c, false)
			w.want("shop", "1:stopping 1:ready")
		})
	}
}

func TestLastOldProcessMakesRoomOnlyForAProvenGeneration(t *testing.T) {
	t.Parallel()
	c := onTrial(2, 2)
	w := serving(t, roomy, c)
	w.restart(c, false)
	w.stopped()
	w.ready()
	w.want("shop", "1:ready 2:ready")
	w.pass(trialTime)
	w.run()
	w.pass(trialTime)
	w.run()
	w.want("shop", "2:ready 2:ready")
	w.wantOutcome("shop 2")
}
