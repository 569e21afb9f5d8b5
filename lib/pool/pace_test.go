package pool

import (
	"testing"
	"time"

	"passenger/lib/pool/pause"
	"passenger/lib/protocol"
)

// crash has a process answer requests and then die of one.
func (w *world) crashAfter(id string, answers uint64) {
	w.t.Helper()
	w.served(id, answers+1, 1)
	w.die(id)
}

func TestProcessThatServedIsReplacedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, roomy)
	w.p.Put(w.now, settings("shop", 1, 0))
	w.tell()
	w.reports()
	for range freeReplacements {
		id := w.ready()
		w.pass(500 * time.Millisecond)
		w.crashAfter(id, 3)
		w.want("shop", "1:starting")
		w.wantRoute("shop", "") // requests wait for it
		if v := w.view("shop"); v.Failures != 0 || v.LastError != nil {
			t.Fatalf("got %+v, want no failure", v)
		}
	}
}

// An app whose processes die of the first request each time is started as often
// as the pace allows, and never given up.
func TestReplacementsArePaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, roomy)
	w.p.Put(w.now, settings("shop", 1, 0))
	w.tell()
	w.reports()
	w.queue("shop", 5)
	starts := 0
	for end := w.now.Add(time.Minute); w.now.Before(end); {
		if len(w.starts) == 0 {
			w.pass(100 * time.Millisecond)
			continue
		}
		starts++
		w.crashAfter(w.ready(), 0)
		if w.route("shop") != "" {
			t.Fatalf("route %q, want requests to wait", w.route("shop"))
		}
	}
	if least, most := 500, 600+freeReplacements+3*5; starts < least || starts > most {
		t.Errorf("%d starts in a minute, want %d to %d", starts, least, most)
	}
	if v := w.view("shop"); v.LastError == nil {
		t.Error("the app has no error that says why")
	}
	w.queue("shop", 0)
	w.pass(20 * time.Second)
	w.ready()
	if v := w.view("shop"); v.LastError != nil {
		t.Errorf("last error %v after a success", v.LastError)
	}
}

func TestSlowStartsAreReplacedMoreSlowly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, roomy)
	w.p.Put(w.now, settings("shop", 1, 0))
	w.tell()
	w.reports()
	starts := 0
	for end := w.now.Add(10 * time.Minute); w.now.Before(end); {
		if len(w.starts) == 0 {
			w.pass(time.Second)
			continue
		}
		starts++
		w.pass(4 * time.Second) // it loads
		w.crashAfter(w.ready(), 1)
	}
	if busy := time.Duration(starts) * 4 * time.Second; busy > 5*time.Minute {
		t.Errorf("it loaded for %v of 10 min, want half of it at most", busy)
	}
}

func TestAllKilledAtOnceAreReplacedAtOnce(t *testing.T) {
	t.Parallel()
	w := serving(t, Limits{Processes: 50, Starting: 50}, settings("shop", 30, 0))
	ids := append([]string{}, w.order...)
	for _, id := range ids {
		w.served(id, 10, 0)
	}
	for _, id := range ids {
		w.end(id, "SIGKILL")
	}
	if got := len(w.starts); got != 30 {
		t.Errorf("%d start at once, want 30", got)
	}
}

// The spawner's word that a process ended may come before the proxy's that it
// answered.
func TestProcessThatServedIsAcquittedLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, roomy)
	w.p.Put(w.now, settings("shop", 1, 0))
	w.tell()
	w.reports()
	for range freeReplacements {
		w.pass(20 * time.Millisecond)
		id := w.ready()
		w.die(id)
		w.served(id, 5, 1)
		w.want("shop", "1:starting")
		w.wantRoute("shop", "")
	}
	if v := w.view("shop"); v.Failures != 0 || v.State == protocol.AppBackoff {
		t.Errorf("got %+v, want no failures", v)
	}
}

func TestHealthChecksAreNoAnswers(t *testing.T) {
	t.Parallel()
	c := settings("shop", 1, 0)
	c.HealthPath = "/up"
	w := newWorld(t, roomy)
	w.p.Put(w.now, c)
	w.tell()
	w.reports()
	for range pause.FreeDeaths + 1 {
		w.pass(time.Second)
		id := w.ready()
		w.answer("")
		w.pass(time.Second)
		w.die(id)
	}
	w.want("shop", "")
	if v := w.view("shop"); v.State != protocol.AppBackoff {
		t.Errorf("state %q, want backoff", v.State)
	}
}
