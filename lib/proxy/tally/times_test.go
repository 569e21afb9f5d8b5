package tally

import (
	"testing"
	"time"
)

// What does not fit into the bound is counted all the same, for all such apps
// together; an app that goes makes room.
func TestHistogramsAreBounded(t *testing.T) {
	t.Parallel()
	k := Timekeeper{Most: 1}
	var first, second Times
	k.Waited(&first, time.Second)
	k.Waited(&second, time.Second)
	k.Waited(&first, time.Second)
	if n := first.queue.Load().Snapshot().Counts[len(timeBounds)]; n != 2 {
		t.Errorf("got %d durations of the first app, want 2", n)
	}
	if second.queue.Load() != nil {
		t.Error("the second app has a histogram beyond the bound")
	}
	if n := k.others.queue.Load().Snapshot().Counts[len(timeBounds)]; n != 1 {
		t.Errorf("got %d durations of other apps, want 1", n)
	}
	k.Forget(&first)
	k.Waited(&second, time.Second)
	if second.queue.Load() == nil {
		t.Error("the second app got no histogram after the first had gone")
	}
}
