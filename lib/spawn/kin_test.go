package spawn

import (
	"os"
	"strconv"
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

// What has lost its parent before its process was taken over ends with it, too.
func TestDescendantsEndWithAnAdoptedProcess(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	r := recordOf(t, killedSpawner(t, dir, "daemonizes"))
	daemon := daemonOf(t, r)
	s, _ := newSpawner(t, dir)
	awaitState(t, s, "made", protocol.Ready)
	if _, err := s.Stop("made", protocol.StopRequest{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of the daemon", func() bool { return !daemon.Alive() })
}

// daemonOf is the process that descends from r and has left its group.
func daemonOf(t *testing.T, r protocol.Process) proc.Identity {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || proc.InGroup(pid, r.PID) || !proc.Carries(pid, "NOTIFY_SOCKET="+r.NotifySocket) {
			continue
		}
		if id, err := proc.IdentityOf(pid); err == nil {
			return id
		}
	}
	t.Fatalf("nothing that %d started has left its group", r.PID)
	return proc.Identity{}
}
