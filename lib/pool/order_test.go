package pool

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/protocol"
)

// The order of a map differs from run to run; a decision's does not.
func TestDecisionsAreInOrderOfStart(t *testing.T) {
	t.Parallel()
	blog, shop := settings("blog", 8, 0), settings("shop", 8, 0)
	w := serving(t, roomy, blog, shop)
	var started []string
	for _, name := range []string{"blog", "shop"} {
		for _, p := range w.view(name).Processes {
			started = append(started, p.ID)
		}
	}
	if len(started) != 16 {
		t.Fatalf("got %v, want 16 processes", started)
	}
	w.p.Remove(w.now, "blog")
	w.p.Remove(w.now, "shop")
	w.decide()
	w.useTable()
	if diff := cmp.Diff(started, w.stops); diff != "" {
		t.Errorf("stops (-want +got)\n%s", diff)
	}

	w = serving(t, roomy, blog, shop)
	w.events = nil
	clear(w.list)
	w.tell()
	var ended []string
	for _, e := range w.events {
		if e.Event == protocol.EventDetached {
			ended = append(ended, e.Process.ID)
		}
	}
	if diff := cmp.Diff(started, ended); diff != "" || !slices.IsSorted(w.order) {
		t.Errorf("events (-want +got)\n%s", diff)
	}
}
