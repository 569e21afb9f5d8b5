package cgroup

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// tree makes a cgroup for the test to divide.
func tree(t *testing.T) *Tree {
	t.Helper()
	mount, err := mountPoint()
	if err != nil || unix.Access(mount, unix.W_OK) != nil || os.Geteuid() != 0 {
		t.Skip("needs root and a cgroup file system of version 2")
	}
	dir, err := os.MkdirTemp(mount, "passenger-test-")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		if err := (&Group{path: dir}).Remove(); err != nil {
			t.Error(err)
		}
	})
	tr, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// stubborn starts a process that ignores SIGTERM and has a child in a session
// of its own.
func stubborn(t *testing.T, g *Group) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sh", "-c", `read go; trap "" TERM; setsid sleep 1000 & echo on; wait`)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Kill() })
	if err := g.Place(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func TestKillEndsWhatLeftTheProcessGroup(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(*Group) error{"cgroup.kill": (*Group).Kill, "one by one": (*Group).killEach} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := tree(t)
			g, err := tr.Make("ab12", Limits{})
			if err != nil {
				t.Fatal(err)
			}
			cmd := stubborn(t, g)
			if n := g.Size(); n < 2 {
				t.Errorf("got %d processes in the group, want the shell and its child", n)
			}
			if tr.Group("ab12") == nil || tr.Group("ab13") != nil {
				t.Error("the tree does not know its groups")
			}
			if err := kill(g); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // killed
			if err := g.Remove(); err != nil {
				t.Fatal(err)
			}
			if tr.Group("ab12") != nil {
				t.Error("the group is still there")
			}
		})
	}
}

func TestRemoveLeavesAGroupInUse(t *testing.T) {
	t.Parallel()
	tr := tree(t)
	g, err := tr.Make("ab12", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	cmd := stubborn(t, g)
	if _, err := tr.Make("ab13", Limits{}); err != nil {
		t.Fatal(err)
	}
	tr.Sweep()
	if tr.Group("ab12") == nil || tr.Group("ab13") != nil {
		t.Error("Sweep removed what is in use, or left what is not")
	}
	began := time.Now()
	if err := g.Remove(); !errors.Is(err, unix.EBUSY) || time.Since(began) < removePatience {
		t.Errorf("got %v after %v, want EBUSY after %v", err, time.Since(began), removePatience)
	}
	if err := g.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
}

func TestLimitsWithoutController(t *testing.T) {
	t.Parallel()
	tr := tree(t)
	l := Limits{MemoryMax: 64 << 20, PIDsMax: 10, CPUWeight: 50}
	g, err := tr.Make("ab12", l)
	var missing *MissingError
	if err == nil {
		t.Log("all controllers are here")
	} else if !errors.As(err, &missing) {
		t.Fatal(err)
	}
	if g == nil {
		t.Fatal("no group; want one without those limits")
	}
	for _, s := range l.settings() {
		b, err := os.ReadFile(filepath.Join(g.Path(), s.file))
		if missing != nil && slices.Contains(missing.Controllers, s.controller) {
			if !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s: got %q, %v, want no such file", s.file, b, err)
			}
		} else if err != nil || strings.TrimSpace(string(b)) != s.value {
			t.Errorf("%s: got %q, %v, want %s", s.file, b, err, s.value)
		}
	}
	if n := g.OOMKills(); n != 0 {
		t.Errorf("got %d kills, want 0", n)
	}
}

// TestLimitsAreWritten has files in the place of the kernel's.
func TestLimitsAreWritten(t *testing.T) {
	t.Parallel()
	l := Limits{MemoryMax: 512 << 20, PIDsMax: 64, CPUWeight: 200}
	got := map[string]string{}
	for _, s := range l.settings() {
		got[s.file] = s.value
	}
	want := map[string]string{"memory.max": "536870912", "memory.oom.group": "1", "memory.swap.max": "0", "pids.max": "64", "cpu.weight": "200"}
	for file, value := range want {
		if got[file] != value {
			t.Errorf("%s: got %q, want %q", file, got[file], value)
		}
	}
	if n := len(Limits{}.settings()); n != 0 {
		t.Errorf("no limits: got %d settings", n)
	}
	events := filepath.Join(t.TempDir(), "memory.events")
	if err := os.WriteFile(events, []byte("low 0\noom 3\noom_kill 2\noom_group_kill 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n := count(events, "oom_kill"); n != 2 {
		t.Errorf("oom_kill: got %d, want 2", n)
	}
}

// TestMakeEnablesControllersOfATreeMadeAnew has files in the place of the kernel's,
// which makes those of a group; so the limit itself cannot be set here.
func TestMakeEnablesControllersOfATreeMadeAnew(t *testing.T) {
	t.Parallel()
	tr := &Tree{path: t.TempDir(), controllers: []string{"pids"}}
	control := filepath.Join(tr.path, "cgroup.subtree_control")
	if err := os.WriteFile(control, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Make("ab12", Limits{PIDsMax: 10}); err == nil {
		t.Error("Make succeeded without a pids.max")
	}
	if b, err := os.ReadFile(control); err != nil || string(b) != "+pids" {
		t.Errorf("cgroup.subtree_control: got %q, %v, want +pids", b, err)
	}
}

func TestOpenRefusesWhatIsNoCgroup(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{t.TempDir(): "is not of cgroup version 2", "/no/such/dir": "no such file"} {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
}

// TestMain is also the program of TestDelegated: it says what it finds.
func TestMain(m *testing.M) {
	if os.Getenv("CGROUP_TEST_DELEGATED") != "" {
		tr, err := Delegated()
		own, _ := ownPath() // Delegated has read it
		if err == nil {
			fmt.Println(tr.Path(), own)
		} else {
			fmt.Println(errors.Is(err, ErrNotDelegated), err)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// delegatedIn runs Delegated in the cgroup, by the command before it if there is one, and
// returns what it said.
func delegatedIn(t *testing.T, path string, by ...string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", slices.Concat([]string{"-c", `echo $$ >"$0/cgroup.procs" && exec "$@"`, path}, by, []string{exe})...)
	cmd.Env = append(os.Environ(), "CGROUP_TEST_DELEGATED=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestDelegated(t *testing.T) {
	t.Parallel()
	tr := tree(t)
	mount, err := mountPoint()
	if err != nil {
		t.Fatal(err)
	}
	if got := delegatedIn(t, tr.Path()); !strings.HasPrefix(got, "true no cgroup is delegated") {
		t.Errorf("in a cgroup that is not delegated: got %q", got)
	}
	if err := unix.Setxattr(tr.Path(), "trusted.delegate", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	below := filepath.Join(tr.Path(), leaf)
	want := tr.Path() + " " + strings.TrimPrefix(below, mount)
	if got := delegatedIn(t, tr.Path()); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := delegatedIn(t, below); got != want {
		t.Errorf("a successor: got %q, want %q", got, want)
	}
}

// Engines with systemd's driver mark a container's cgroup, which is read-only inside.
func TestDelegatedReadOnly(t *testing.T) {
	t.Parallel()
	tr := tree(t)
	mount, err := mountPoint()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("unshare", "--mount", "true").CombinedOutput(); err != nil {
		t.Skipf("needs a mount namespace: %v: %s", err, out)
	}
	if err := unix.Setxattr(tr.Path(), "trusted.delegate", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	readOnly := `mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"`
	got := delegatedIn(t, tr.Path(), "unshare", "--mount", "sh", "-c", readOnly, mount)
	if want := "true no cgroup is delegated to this program: its own may not be divided"; !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
