package spawn

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/statedir"
)

// killedSpawner runs a spawner on dir that starts an app with the role, reads
// the first line that it prints, and kills it. What it leaves falls to
// somebody else, as it does to init(8), until the test ends.
func killedSpawner(t *testing.T, dir statedir.Dir, role string) []byte {
	t.Helper()
	c := exec.Command(os.Args[0], role)
	c.Env = append(os.Environ(), initVariable+"="+dir.Path())
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = io.Discard
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close() // it sees that, and ends
		_ = c.Wait()
	})
	lines := bufio.NewReader(out)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		t.Errorf("the spawner said %q: %v", line, err)
	}
	if _, err := in.Write([]byte("kill it\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := lines.ReadBytes('\n'); err != nil {
		t.Fatalf("the spawner was not killed: %v", err)
	}
	return line
}

func recordOf(t *testing.T, line []byte) protocol.Process {
	t.Helper()
	var r protocol.Process
	if err := json.Unmarshal(line, &r); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	t.Cleanup(func() {
		if h, err := proc.Open(proc.Identity{PID: r.PID, StartTime: r.StartTime}); err == nil {
			_ = h.SignalGroup(9) // gone is fine
			h.Close()
		}
	})
	return r
}

func TestAdoptAfterKill(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	before := recordOf(t, killedSpawner(t, dir, "chatty"))
	s, out := newSpawner(t, dir)
	r := awaitState(t, s, "made", protocol.Ready)
	if !r.Adopted || r.PID != before.PID || r.Address != before.Address || r.Generation != 3 || !r.StartedAt.Equal(before.StartedAt) {
		t.Errorf("got %+v, want %+v adopted", r, before)
	}
	if w := ask(t, r); w.PID != before.PID {
		t.Errorf("got an answer of pid %d, want %d", w.PID, before.PID)
	}
	out.await(t, "[app "+strconv.Itoa(r.PID)+"] line ")
	if err := notifyByName(r.NotifySocket, "STATUS=x"); err != nil {
		t.Errorf("its notify socket: %v", err)
	}
	r, err := s.Stop("made", protocol.StopRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Exit.Cause != "stopped by us: unknown (adopted)" || !r.Exit.Unknown || !r.Exit.ByUs || r.Exit.Status != -1 {
		t.Errorf("got %+v", r.Exit)
	}
}

func TestAdoptedDeathIsSeen(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	r := recordOf(t, killedSpawner(t, dir, "ready"))
	s, _ := newSpawner(t, dir)
	awaitState(t, s, "made", protocol.Ready)
	h, err := proc.Open(proc.Identity{PID: r.PID, StartTime: r.StartTime})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if err := h.Signal(9); err != nil {
		t.Fatal(err)
	}
	if exit := awaitState(t, s, "made", protocol.Exited).Exit; exit.Cause != "unknown (adopted)" || exit.ByUs {
		t.Errorf("got %+v", exit)
	}
}

func TestKillBetweenForkAndRecordLosesNothing(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	pid, err := strconv.Atoi(strings.TrimSpace(string(killedSpawner(t, dir, "die-in-between"))))
	if err != nil {
		t.Fatal(err)
	}
	awaitGone(t, pid)
	s, _ := newSpawner(t, dir)
	if got := s.Processes().Get().Processes; len(got) > 0 {
		t.Errorf("adopted %+v, want none", got)
	}
	if left, _ := filepath.Glob(filepath.Join(dir.Processes(), "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAdoptStopsWhatWasStarting(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	before := recordOf(t, killedSpawner(t, dir, "silent"))
	s, _ := newSpawner(t, dir)
	r := awaitState(t, s, "made", protocol.Exited)
	if r.PID != before.PID || r.Exit.Cause != "killed by us: its spawner died while it started" || !r.Exit.Orphaned {
		t.Errorf("got %+v, %+v", r, r.Exit)
	}
	awaitGone(t, before.PID)
}

func TestAdoptClearsAwayTheDead(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	kept := filepath.Join(t.TempDir(), "kept")
	if err := os.WriteFile(kept, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(kept), filepath.Join(dir.Processes(), "link")); err != nil {
		t.Fatal(err)
	}
	self, err := proc.IdentityOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for id, r := range map[string]protocol.Process{
		"reused":   {Version: 1, ID: "reused", PID: self.PID, StartTime: self.StartTime + 1, BootID: self.BootID, State: protocol.Ready},
		"rebooted": {Version: 1, ID: "rebooted", PID: self.PID, StartTime: self.StartTime, BootID: "another", State: protocol.Ready},
		"unborn":   {Version: 1, ID: "unborn", State: protocol.Starting},
	} {
		if err := os.Mkdir(string(dir.Process(id)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := statedir.WriteJSON(dir.Process(id).Record(), r); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(string(dir.Process("empty")), 0o700); err != nil {
		t.Fatal(err)
	}
	s, _ := newSpawner(t, dir)
	if got := s.Processes().Get().Processes; len(got) > 0 {
		t.Errorf("adopted %+v, want none", got)
	}
	if left, _ := filepath.Glob(filepath.Join(dir.Processes(), "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := os.Stat(kept); err != nil {
		t.Errorf("a symlink was followed: %v", err)
	}
}

func TestAdoptLeavesWhatItDoesNotUnderstand(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	self, err := proc.IdentityOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for id, r := range map[string]protocol.Process{
		"newer":   {Version: protocol.Version + 1, ID: "newer", PID: self.PID, StartTime: self.StartTime, BootID: self.BootID},
		"another": {Version: 1, ID: "other", PID: self.PID, StartTime: self.StartTime, BootID: self.BootID},
	} {
		if err := os.Mkdir(string(dir.Process(id)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := statedir.WriteJSON(dir.Process(id).Record(), r); err != nil {
			t.Fatal(err)
		}
	}
	s, _ := newSpawner(t, dir)
	if got := s.Processes().Get().Processes; len(got) > 0 {
		t.Errorf("adopted %+v, want none", got)
	}
	for _, id := range []string{"newer", "another"} {
		if _, err := os.Stat(dir.Process(id).Record()); errors.Is(err, os.ErrNotExist) {
			t.Errorf("the record of %s is gone", id)
		}
	}
}

// The record of a spawner that knew no slots has none.
func TestAdoptedProcessGetsASlot(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	before := recordOf(t, killedSpawner(t, dir, "chatty"))
	before.Slot = 0
	if err := statedir.WriteJSON(dir.Process("made").Record(), before); err != nil {
		t.Fatal(err)
	}
	s, _ := newSpawner(t, dir)
	if r := awaitState(t, s, "made", protocol.Ready); r.Slot != 1 {
		t.Errorf("got slot %d, want 1", r.Slot)
	}
	if r, err := readRecord(dir.Process("made")); err != nil || r.Slot != 1 {
		t.Errorf("got slot %d in the record (%v), want 1", r.Slot, err)
	}
}
