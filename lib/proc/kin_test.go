package proc

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// eventually waits until what a test has started has come so far.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

func TestDescendantsAreFollowedBeyondSessions(t *testing.T) {
	t.Parallel()
	id := child(t, "setsid sh -c 'sleep 1000 & wait' & sleep 1001 & wait")
	none := func(int) bool { return false }
	commands := func() (list []string) {
		for _, pid := range Descendants(id.PID, none) {
			list = append(list, CommandOf(pid))
		}
		slices.Sort(list)
		return list
	}
	want := []string{"sh -c sleep 1000 & wait", "sleep 1000", "sleep 1001"}
	eventually(t, "the descendants", func() bool { return slices.Equal(commands(), want) })
	all := Descendants(id.PID, none)
	t.Cleanup(func() {
		for _, pid := range all {
			_ = unix.Kill(pid, unix.SIGKILL) // those in sessions of their own
		}
	})
	isShell := func(pid int) bool { return strings.HasPrefix(CommandOf(pid), "sh ") }
	if got := Descendants(id.PID, isShell); len(got) != 1 || CommandOf(got[0]) != "sleep 1001" {
		t.Errorf("without others: got %v", got)
	}
	if !IsChild(id.PID) {
		t.Error("a child of ours is said to be none")
	}
	if IsChild(all[len(all)-1]) {
		t.Error("a grandchild is said to be a child")
	}
}

func TestUserAndCommandOfAProcess(t *testing.T) {
	t.Parallel()
	id := child(t, "exec sleep 1000 "+strings.Repeat("1 ", maxCommand))
	eventually(t, "sleep", func() bool { return strings.HasPrefix(CommandOf(id.PID), "sleep 1000 1 1") })
	if n := len(CommandOf(id.PID)); n > maxCommand {
		t.Errorf("the command has %d bytes", n)
	}
	if got, want := UserOf(id.PID), UserOf(os.Getpid()); got != want || got == "" {
		t.Errorf("got user %q, want %q", got, want)
	}
	const gone = 1 << 30
	if UserOf(gone) != "" || CommandOf(gone) != "[]" {
		t.Errorf("of none: got %q and %q", UserOf(gone), CommandOf(gone))
	}
}

func TestHoldersOfADirectory(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "ph") // short, for the socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	writer := child(t, "exec sleep 1000 >"+dir+"/out")
	reader := child(t, "exec sleep 1000 <"+dir+"/out")
	eventually(t, "the writer", func() bool { return HoldsOutput(writer.PID, dir) })
	if HoldsOutput(reader.PID, dir) {
		t.Error("who only reads holds the output")
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{dir, link} {
		if got := Holders(name); len(got) != 1 || got[0] != writer { // our socket is ours
			t.Errorf("%s: got %v, want %v", name, got, writer)
		}
	}
}

func TestGroupsAreCountedAndSignalled(t *testing.T) {
	t.Parallel()
	id := child(t, "sleep 1000 & sleep 1001 & wait")
	eventually(t, "the group", func() bool { return len(Group(id.PID)) == 3 })
	if !TakeCensus().Has(id.PID) {
		t.Error("the census has no such group")
	}
	h, err := Open(id)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if err := h.SignalGroup(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the stop", id.Stopped)
	if err := h.SignalGroup(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end", func() bool { return !TakeCensus().Has(id.PID) })
}

func TestUsageOfOneProcess(t *testing.T) {
	t.Parallel()
	if u := UsageOfSelf(); u.RSS < 1<<20 || u.PSS <= 0 || u.PSS > u.RSS || u.Threads < 1 {
		t.Errorf("of ourselves: got %+v", u)
	}
	id := child(t, "exec sleep 1000")
	eventually(t, "sleep", func() bool { return CommandOf(id.PID) == "sleep 1000" })
	eventually(t, "memory of sleep", func() bool { // which has none while it becomes its program
		u := UsageOfOne(id.PID)
		return u.Threads == 1 && u.RSS > 0 && u.RSS < 100<<20
	})
	if u := UsageOfOne(1 << 30); u.RSS != 0 || u.Threads != 0 {
		t.Errorf("of none: got %+v", u)
	}
}
