package spawn

import (
	"testing"

	"passenger/lib/proc"
	"passenger/lib/protocol"
)

// What calls setsid(2) ends with its process, too, where there is no cgroup.
func TestDescendantsEndWithTheirProcess(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *Spawner, r protocol.Process){
		"a stop":  func(s *Spawner, r protocol.Process) { _, _ = s.Stop(r.ID, protocol.StopRequest{}) },
		"a crash": func(s *Spawner, r protocol.Process) { _ = s.find(r.ID).Signal(9) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := newSpawner(t, shortDir(t))
			r := mustSpawn(t, s, "kin00001", "sessions")
			eventually(t, "its descendants", func() bool { return len(proc.Descendants(r.PID, s.Ours)) == 4 })
			s.kin.Follow(s.find(r.ID)) // as it is done now and then
			var alive []proc.Identity
			for _, pid := range proc.Descendants(r.PID, s.Ours) {
				if id, err := proc.IdentityOf(pid); err == nil && !proc.InGroup(pid, r.PID) {
					alive = append(alive, id)
				}
			}
			if len(alive) != 4 {
				t.Errorf("got %d in sessions of their own, want 4", len(alive))
			}
			end(s, r)
			awaitState(t, s, r.ID, protocol.Exited)
			for _, id := range alive {
				eventually(t, "the end of a descendant", func() bool { return !id.Alive() })
			}
		})
	}
}
