package spawn

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"

	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/statedir"
)

// costs are what a spawner may not have more of after many starts.
type costs struct{ descriptors, goroutines, children, files int }

func costsOf(t *testing.T, dir statedir.Dir) costs {
	t.Helper()
	count := func(path string) int {
		entries, err := os.ReadDir(path)
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	return costs{
		descriptors: count("/proc/self/fd"), goroutines: runtime.NumGoroutine(),
		children: len(proc.Children()), files: count(dir.Processes()) + count(dir.Preloaders()) + count(dir.NotifySockets()),
	}
}

// TestManyStartsLeaveNothing runs alone: it counts what the whole program has.
func TestManyStartsLeaveNothing(t *testing.T) {
	dir := shortDir(t)
	s, _ := newSpawner(t, dir)
	direct := preloaded(t, "")
	direct.SpawnMethod = "direct"
	apps := []protocol.SpawnRequest{{App: "forked", Config: new(preloaded(t, ""))}, {App: "direct", Config: &direct}, {App: "broken", Config: new(preloaded(t, "hook"))}}
	round := func(base, n int) {
		var wg sync.WaitGroup
		for worker := range 4 {
			wg.Go(func() {
				for i := worker; i < n; i += 4 {
					req := apps[max(0, i%20-17)] // one in 20 is direct, one is broken
					req.ID, req.Generation = fmt.Sprintf("n%d", base+i), 1
					r, err := s.Spawn(t.Context(), req)
					if (err != nil) != (req.App == "broken") {
						t.Errorf("app %s: %v", req.App, err)
					}
					if err != nil {
						continue
					}
					if _, err := s.Stop(r.ID, protocol.StopRequest{}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	}
	round(1000, 40) // both preloaders, buffers, threads
	before := costsOf(t, dir)
	round(2000, 1000)
	var after costs
	defer func() { t.Logf("before %+v, after %+v", before, after) }()
	eventually(t, "no more than before", func() bool {
		after = costsOf(t, dir)
		return after.descriptors <= before.descriptors && after.goroutines <= before.goroutines &&
			after.children <= before.children && after.files <= before.files
	})
}
