package spawn

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// threads counts those of this program.
func threads(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// Starts that hang at their app's directory end in time, and leave neither a
// thread nor a process. It runs alone: it counts threads.
func TestStartsThatHangLeaveNoThread(t *testing.T) {
	const starts, slack = 50, 5
	s, _ := newSpawner(t, shortDir(t))
	config := appConfig("ready")
	config.Name, config.StartTimeout = hangs, 2
	mustSpawn(t, s, "warm0001", "ready")
	before := threads(t)
	var wg sync.WaitGroup
	for i := range starts {
		wg.Go(func() {
			req := request(fmt.Sprintf("hang%04d", i), config)
			req.Generation = 10 + i%5
			if _, err := s.Spawn(t.Context(), req); err == nil {
				t.Error("it is ready")
			}
		})
	}
	wg.Wait()
	eventually(t, "the one process of before", func() bool {
		return countChildren(s) == 1
	})
	if now := threads(t); now > before+slack {
		t.Errorf("%d threads, %d before", now, before)
	}
}

// A start that hangs does not hold up an upgrade for longer than its patience.
func TestAnUpgradeDoesNotWaitForAStartThatHangs(t *testing.T) {
	t.Parallel()
	s, _ := newSpawner(t, shortDir(t))
	config := appConfig("ready")
	config.Name, config.StartTimeout = hangs, 300
	ctx, giveUp := context.WithCancel(t.Context())
	var hanging sync.WaitGroup
	defer hanging.Wait()
	defer giveUp()
	hanging.Go(func() { _, _ = s.Spawn(ctx, request("hang0001", config)) }) // it is given up
	eventually(t, "a look", func() bool {
		return countChildren(s) == 1
	})
	if got := s.Hold(t.Context(), 100*time.Millisecond); got != 1 { // while it hangs, which is for five
		t.Errorf("%d starts under way, want 1", got)
	}
	s.Resume()
	mustSpawn(t, s, "good0001", "ready")
}
