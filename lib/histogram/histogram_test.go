package histogram

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEachDurationLiesInOneBucket(t *testing.T) {
	t.Parallel()
	bounds := []time.Duration{time.Millisecond, time.Second}
	h := New(bounds)
	for _, d := range []time.Duration{-time.Second, 0, time.Millisecond, time.Millisecond + 1, time.Second, time.Second + 1, time.Hour} {
		h.Add(d)
	}
	want := Snapshot{bounds, []uint64{3, 5, 7}, time.Millisecond*2 + 1 + time.Second*2 + 1 + time.Hour}
	if diff := cmp.Diff(want, h.Snapshot()); diff != "" {
		t.Error(diff)
	}
}

func TestManyCountAtOnce(t *testing.T) {
	t.Parallel()
	h := New([]time.Duration{time.Second})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				h.Add(time.Millisecond)
			}
		})
	}
	wg.Wait()
	if s := h.Snapshot(); s.Counts[1] != 8000 || s.Sum != 8*time.Second {
		t.Errorf("got %d durations of %v together, want 8000 of 8s", s.Counts[1], s.Sum)
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	h := New([]time.Duration{time.Millisecond, time.Second})
	if n := testing.AllocsPerRun(100, func() { h.Add(time.Minute) }); n != 0 {
		t.Errorf("got %v allocations, want none", n)
	}
}

func BenchmarkAdd(b *testing.B) {
	h := New([]time.Duration{time.Millisecond, time.Second})
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			h.Add(500 * time.Millisecond)
		}
	})
}
