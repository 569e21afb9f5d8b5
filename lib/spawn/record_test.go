package spawn

import (
	"os"
	"path/filepath"
	"testing"

	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/statedir"
)

// blockRecord puts something in the record's place that no file replaces.
func blockRecord(t *testing.T, dir statedir.ProcessDir) (unblock func()) {
	t.Helper()
	if err := os.Remove(dir.Record()); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir.Record(), "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.RemoveAll(dir.Record()); err != nil {
			t.Error(err)
		}
	}
}

func TestARecordIsWrittenAtLast(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	s, _ := newSpawner(t, dir)
	before := mustSpawn(t, s, "full0001", "ready")
	unblock := blockRecord(t, dir.Process("full0001"))
	p := s.find("full0001")
	p.Change(func(r *protocol.Process) { r.Concurrency = 7 })
	if got := p.Snapshot(); got.Unrecorded == "" || s.Unrecorded() != 1 {
		t.Errorf("got %q, %d without a record, want one that says why", got.Unrecorded, s.Unrecorded())
	}
	unblock()
	eventually(t, "the record", func() bool {
		var r protocol.Process
		err := statedir.ReadJSON(dir.Process("full0001").Record(), &r)
		return err == nil && r.PID == before.PID && r.Concurrency == 7 && r.Unrecorded == ""
	})
	eventually(t, "the list", func() bool {
		list := s.feed.Get()
		return len(list.Processes) == 1 && list.Processes[0].Unrecorded == ""
	})
}

func TestTheEndStopsWhatHasNoRecord(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	s, _ := newSpawner(t, dir)
	mustSpawn(t, s, "kept0001", "ready")
	mustSpawn(t, s, "full0001", "ready")
	blockRecord(t, dir.Process("full0001"))
	s.find("full0001").Change(func(*protocol.Process) {})
	s.Close()
	if r := s.find("full0001").Snapshot(); r.State != protocol.Exited {
		t.Errorf("the process without a record is %s", r.State)
	}
	if r := s.find("kept0001").Snapshot(); r.State != protocol.Ready {
		t.Errorf("the process with one is %s", r.State)
	}
}

func TestASuccessorEndsWhatHasNoRecord(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(path string) error{
		"none":      os.Remove,
		"cut short": func(path string) error { return os.Truncate(path, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := shortDir(t)
			before := recordOf(t, killedSpawner(t, dir, "chatty"))
			if err := spoil(dir.Process(before.ID).Record()); err != nil {
				t.Fatal(err)
			}
			s, _ := newSpawner(t, dir)
			if s.find(before.ID) != nil {
				t.Error("it is adopted")
			}
			id := proc.Identity{PID: before.PID, StartTime: before.StartTime}
			eventually(t, "the end of the process", func() bool { return !id.Alive() })
		})
	}
}
