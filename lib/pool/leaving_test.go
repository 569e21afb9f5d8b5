package pool

import (
	"slices"
	"testing"
)

// wantLeaving compares the processes that leave by the last table.
func (w *world) wantLeaving(ids ...string) {
	w.t.Helper()
	var got []string
	for _, r := range w.routes.Apps {
		for _, p := range r.Processes {
			if p.Leaving {
				got = append(got, p.ID)
			}
		}
	}
	if !slices.Equal(got, ids) {
		w.t.Fatalf("got %q leaving, want %q", got, ids)
	}
}

func TestProcessesThatAreToBeStoppedLeave(t *testing.T) {
	t.Parallel()
	c := settings("shop", 2, 0)
	w := serving(t, roomy, c)
	w.inFlight("p001", 1)
	w.p.Restart(w.now, c, nil, How{})
	w.decide()
	w.run()
	w.pass(settleTime)
	w.wantRoute("shop", "p001(draining) p003 p004")
	w.wantLeaving("p001")
}

// A process that worked out of band gets requests again, and may keep its WebSockets.
func TestProcessesThatWorkOutOfBandDoNotLeave(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, settings("shop", 2, 0))
	w.ask("p001", 1, 1)
	w.wantRoute("shop", "p001(draining) p002")
	w.wantLeaving()
}

// What a restart may go back to stays until it is let go.
func TestProcessesThatAreKeptDoNotLeave(t *testing.T) {
	t.Parallel()
	w, _ := watched(t)
	w.inFlight("p002", 1)
	w.wantLeaving()
	w.pass(watchTime)
	w.wantLeaving("p002")
}
