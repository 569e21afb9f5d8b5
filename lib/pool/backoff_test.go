package pool

import (
	"testing"
	"time"

	"passenger/lib/pool/pause"
	"passenger/lib/protocol"
)

func TestPauses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		failures int
		jitter   float64
		want     time.Duration
	}{
		{1, 0, time.Second},
		{2, 0, 2 * time.Second},
		{3, 0, 4 * time.Second},
		{3, 1, 5 * time.Second},
		{9, 0, 256 * time.Second},
		{10, 0, 5 * time.Minute},
		{1000, 0, 5 * time.Minute},
	} {
		if got := pause.After(tt.failures, tt.jitter); got != tt.want {
			t.Errorf("after %d failures with jitter %v: got %v, want %v", tt.failures, tt.jitter, got, tt.want)
		}
	}
}

func TestDeadProcessIsReplacedAtOnce(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, settings("shop", 2, 0))
	w.die("p001")
	w.want("shop", "1:ready 1:starting")
	w.wantRoute("shop", "p002")
	w.ready()
	w.wantRoute("shop", "p002 p003")
	if v := w.view("shop"); v.Failures != 0 || v.LastError != nil {
		t.Errorf("a death after a minute counts as a failed start: %+v", v)
	}
}

func TestFailedStartsBackOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, roomy)
	w.p.Put(w.now, settings("shop", 1, 0))
	w.tell()
	w.reports()
	for _, pause := range []time.Duration{1, 2, 4, 8} {
		w.fail("no such gem")
		w.queue("shop", 50) // no start per request
		w.want("shop", "")
		w.wantRoute("shop", "error: no such gem")
		v := w.view("shop")
		if want := w.now.Add(pause * time.Second); !v.NextTry.Equal(want) || v.State != protocol.AppBackoff {
			t.Fatalf("next try at %v in state %q, want %v in backoff", v.NextTry, v.State, want)
		}
		w.pass(pause*time.Second - time.Millisecond)
		w.want("shop", "")
		w.pass(time.Millisecond)
		w.want("shop", "1:starting")
	}
	w.queue("shop", 0)
	w.ready()
	w.wantRoute("shop", "p005")
	if v := w.view("shop"); v.Failures != 0 || v.LastError != nil || !v.NextTry.IsZero() || v.State != protocol.AppReady {
		t.Errorf("success did not clear the failures: %+v", v)
	}
}

func TestParallelFailuresCountOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, roomy)
	w.p.Put(w.now, settings("shop", 4, 0))
	w.tell()
	w.pass(time.Second)
	for range 4 {
		w.fail("no database")
	}
	if v := w.view("shop"); v.Failures != 1 {
		t.Errorf("%d failures, want 1", v.Failures)
	}
}

func TestErrorIsInTheRouteOnlyWhileNothingServes(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, settings("shop", 1, 0))
	w.queue("shop", 1)
	w.fail("no memory")
	w.wantRoute("shop", "p001")
	if v := w.view("shop"); v.LastError == nil || v.State != protocol.AppReady {
		t.Errorf("got %+v, want a ready app with its last error", v)
	}
}

func TestAppStartedByRequestsTriesAgainForTheNext(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, settings("shop", 0, 0))
	w.queue("shop", 1)
	w.fail("no database")
	w.queue("shop", 0) // refused
	w.wantRoute("shop", "error: no database")
	w.pass(2 * time.Second)
	w.useTable()
	w.wantRoute("shop", "")
	w.want("shop", "")
	w.queue("shop", 1)
	w.want("shop", "1:starting")
	w.ready()
	if v := w.view("shop"); v.LastError != nil {
		t.Errorf("last error %v after a success", v.LastError)
	}
}

func TestCrashLoopBacksOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, roomy)
	w.p.Put(w.now, settings("shop", 1, 0))
	w.tell()
	w.reports()
	for range pause.FreeDeaths {
		w.pass(time.Second)
		w.die(w.ready())
		w.want("shop", "1:starting") // at once
	}
	for _, pause := range []time.Duration{1, 2, 4, 64} {
		w.pass(3 * time.Second)
		w.die(w.ready())
		w.want("shop", "")
		v := w.view("shop")
		if v.State != protocol.AppBackoff || v.LastError == nil {
			t.Fatalf("got state %q and error %v, want a visible crash loop", v.State, v.LastError)
		}
		if pause > 4 {
			break
		}
		w.pass(pause*time.Second - time.Millisecond)
		w.want("shop", "")
		w.pass(time.Millisecond)
		w.want("shop", "1:starting")
	}
	w.wantRoute("shop", "error: killed by SIGSEGV 0.0s after it was ready, 6 times in a row")
	w.pass(8 * time.Second)
	w.ready()
	w.pass(2 * time.Minute)
	if v := w.view("shop"); v.Failures != 0 || v.LastError != nil {
		t.Errorf("a process that lives did not clear the failures: %+v", v)
	}
}

func TestProcessesKilledTogetherCountOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, roomy)
	w.p.Put(w.now, settings("shop", 5, 0))
	w.tell()
	w.run()
	for _, id := range w.order {
		w.die(id)
	}
	w.want("shop", "1:starting 1:starting 1:starting 1:starting 1:starting") // at once
}

func TestKillsFromOutsideAreNoCrashLoop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, roomy)
	w.p.Put(w.now, settings("shop", 1, 0))
	w.tell()
	w.reports()
	for range freeKills {
		w.pass(time.Second)
		w.end(w.ready(), "SIGKILL")
		w.want("shop", "1:starting")
		w.wantRoute("shop", "") // requests wait
	}
	w.pass(time.Second)
	w.end(w.ready(), "SIGKILL")
	w.want("shop", "")
	w.wantRoute("shop", "") // for so short a pause they do still
	w.pass(time.Second)
	w.want("shop", "1:starting")
}

func TestSpawnLostWithTheSpawnerIsNoFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t, roomy)
	w.p.Put(w.now, settings("shop", 1, 0))
	w.tell()
	w.p.SpawnerLost()
	w.lose()
	w.want("shop", "")
	w.pass(time.Minute)
	w.want("shop", "") // nothing could start it
	w.tell()
	w.want("shop", "1:starting")
	if v := w.view("shop"); v.Failures != 0 {
		t.Errorf("%d failures, want 0", v.Failures)
	}
}

// Pool and spawner died while it started, and the next spawner ended it.
func TestAnOrphanedStartIsNoFailure(t *testing.T) {
	t.Parallel()
	for _, orphaned := range []bool{true, false} {
		w := newWorld(t, roomy)
		c := settings("shop", 1, 0)
		w.p.Put(w.now, c)
		w.tell()
		w.crash(c)
		w.tell()
		w.want("shop", "1:starting")
		r := w.list["p001"]
		r.State, r.Exit = protocol.Exited, &protocol.Exit{Cause: "killed by us", ByUs: true, Orphaned: orphaned}
		w.put("p001", r)
		w.tell()
		failures := 1
		if orphaned {
			failures = 0
		}
		if got := w.view("shop").Failures; got != failures {
			t.Errorf("orphaned %v: %d failures, want %d", orphaned, got, failures)
		}
		w.pass(lostPause)
		if orphaned {
			w.want("shop", "1:starting")
		}
	}
}

func TestSpawnerThatLosesSpawnsIsNotAskedAllTheTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, roomy)
	w.p.Put(w.now, settings("shop", 1, 0))
	w.tell()
	starts := 0
	for end := w.now.Add(10 * time.Second); w.now.Before(end); w.pass(10 * time.Millisecond) {
		if len(w.starts) > 0 {
			starts++
			w.lose()
		}
	}
	if starts > 50 {
		t.Errorf("%d starts in 10 s", starts)
	}
}

func TestProcessThatDiesBeforeItsSpawnIsAnswered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, roomy)
	w.p.Put(w.now, settings("shop", 1, 0))
	w.tell()
	w.become("p001", 1)
	p := w.list["p001"]
	w.die("p001") // the list is faster than the answer
	w.starts = nil
	w.p.Spawned(w.now, Spawned{ID: "p001", Process: &p})
	w.decide()
	w.want("shop", "1:starting")
	w.wantRoute("shop", "")
}

func TestInDevelopmentARequestIsWorthAStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, roomy)
	c := settings("shop", 1, 0)
	c.Environment = "development"
	w.p.Put(w.now, c)
	w.tell()
	w.reports()
	for range 6 { // the sixth pause would be half a minute
		w.fail("no such gem")
		w.wantRoute("shop", "error: no such gem")
		w.queue("shop", 2)
		w.want("shop", "")
		w.pass(eagerPause)
		w.want("shop", "1:starting")
	}
	w.fail("no such gem")
	w.queue("shop", 0)
	w.pass(eagerPause)
	w.want("shop", "") // no request asks
	w.queue("shop", 1)
	w.want("shop", "1:starting")
	w.queue("shop", 0)
	w.ready()
	w.wantRoute("shop", "p008")
}

func TestRequestsOfBeforeAFailureAreWorthNoStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, roomy)
	c := settings("shop", 1, 0)
	c.Environment = "development"
	w.p.Put(w.now, c)
	w.tell()
	w.reports()
	w.fail("no such gem")
	w.pass(time.Second)
	w.queue("shop", 3)
	w.lagging = true // the proxy does not answer them yet
	w.fail("no such gem")
	w.reports()
	w.pass(eagerPause)
	w.want("shop", "")
}
