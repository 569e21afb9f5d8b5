package owner

import (
	"testing"
	"testing/synctest"
	"time"

	"passenger/lib/protocol"
)

// What the spawner says of the place where apps live counts, and not what the pool
// itself could have; while the spawner is down, what it said last.
func TestTheSpawnerSaysWhatProcessesCanHave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "shop")
		want := protocol.Host{MemoryFree: 7 << 20, MemoryBound: "/sys/fs/cgroup/apps", MemoryMax: 9 << 20, Unknown: "x"}
		s.spawner.host = want
		s.start(t.Context())
		defer s.stop()
		for _, when := range []string{"at the start", "while the spawner is down"} {
			time.Sleep(2 * hostEvery)
			list, err := s.owner.Apps(t.Context())
			if err != nil || list.Host != want {
				t.Errorf("%s: got %+v, %v, want %+v", when, list.Host, err, want)
			}
			if when == "at the start" {
				s.spawner.kill()
			}
		}
	})
}
