package pool

import (
	"strings"
	"testing"
	"time"

	"passenger/lib/protocol"
)

// An app wants processes for its load, whatever it has; it wants at most twice of
// what it has, and goes on to want for a minute.
func TestAppetite(t *testing.T) {
	t.Parallel()
	w := serving(t, Limits{Processes: 4, Starting: 4}, settings("shop", 1, 0))
	for _, step := range []struct {
		after        time.Duration
		busy, queued int
		waited       float64
		wanted       int
		why          string
	}{
		{0, 0, 0, 0, 1, "wants 1, has 1: 0.0 requests at once on average"},
		{time.Second, 1, 40, 0.24, 2, "wants 2, has 1: 1.5 requests at once on average, 40 wait, the oldest for 240 ms, room for 3 more"},
		{time.Minute, 1, 0, 0, 2, ""}, // little is left of it, and it was wanted a minute ago
		{time.Second, 1, 0, 0, 2, ""},
		{time.Minute, 0, 0, 0, 1, "wants 1, has 1: "},
	} {
		w.now = w.now.Add(step.after)
		w.load("shop", step.busy, step.queued, step.waited)
		a, _ := w.p.App(w.now, "shop")
		if a.Wanted != step.wanted || !strings.HasPrefix(a.WantedReason, step.why) {
			t.Errorf("%d busy, %d queued after %v: got %d, %q; want %d, %q", step.busy, step.queued, step.after, a.Wanted, a.WantedReason, step.wanted, step.why)
		}
	}
}

// A steady load is wanted for without a change, as processes come and go.
func TestAppetiteIsOfTheLoadAlone(t *testing.T) {
	t.Parallel()
	for _, processes := range []int{3, 4, 8} {
		w := serving(t, Limits{Processes: 8, Starting: 8}, settings("shop", processes, 0))
		for range 120 {
			w.now = w.now.Add(time.Second)
			w.load("shop", min(processes, 4), 4-min(processes, 4), 0)
		}
		if a, _ := w.p.App(w.now, "shop"); a.Wanted != max(6, processes) {
			t.Errorf("with %d: got %d, %q, want 6", processes, a.Wanted, a.WantedReason)
		}
	}
}

// load reports requests that processes have, one each, and that wait.
func (w *world) load(app string, busy, queued int, waited float64) {
	r := reportOf(w.p.Version())
	for _, q := range w.p.apps[app].processes {
		if busy > 0 {
			r.Processes[q.record.ID] = protocol.ProcessReport{InFlight: 1}
			busy--
		}
	}
	r.Apps[app] = protocol.AppReport{Queued: queued, OldestWait: waited}
	w.p.Reported(w.now, "one", r)
}

// A long queue is forgotten as soon as a short one once it is gone.
func TestAppetiteForgetsAQueue(t *testing.T) {
	t.Parallel()
	for _, queued := range []int{2, 2000} {
		w := serving(t, Limits{Processes: 2, Starting: 2}, settings("shop", 2, 2))
		for second := range 90 {
			w.now = w.now.Add(time.Second)
			if second < 60 {
				w.load("shop", 2, queued, 1)
			} else {
				w.load("shop", 0, 0, 0)
			}
		}
		if a, _ := w.p.App(w.now, "shop"); a.Needs > 1 {
			t.Errorf("half a minute after %d waited: got %v", queued, a.Needs)
		}
	}
}
