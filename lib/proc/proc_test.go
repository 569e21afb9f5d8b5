package proc

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"passenger/lib/protocol"
)

// child starts a shell command that leads a process group of its own. It is
// not waited for by os/exec: the test owns it.
func child(t *testing.T, script string) Identity {
	t.Helper()
	c := exec.Command("sh", "-c", script)
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	id, err := IdentityOf(c.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	pid := c.Process.Pid
	t.Cleanup(func() {
		_ = syscall.Kill(-pid, syscall.SIGKILL) // gone is fine
		_, _ = syscall.Wait4(pid, nil, 0, nil)
	})
	return id
}

func TestParseStatIsNotFooledByTheName(t *testing.T) {
	t.Parallel()
	const line = "41 (a) R 1 (b 2) S 7 41 41 0 -1 4194304 1 0 0 0 150 50 0 0 20 0 3 0 987654 1000 256 18446744073709551615 0 0\n"
	got, err := parseStat([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	want := stat{state: 'S', parent: 7, group: 41, utime: 150, stime: 50, threads: 3, startTime: 987654, rss: 256}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(stat{})); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"", "41 (a) R 1", "41 a R", strings.Replace(line, "987654", "x", 1)} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("parseStat(%q) did not fail", bad)
		}
	}
}

func TestHandleSeesTheEndAndTheStatus(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, script string
		signal       unix.Signal
		want         protocol.Exit
	}{
		{"exit", "exit 7", 0, protocol.Exit{Status: 7, Cause: "exited with status 7"}},
		{"signal", "exec sleep 60", unix.SIGTERM, protocol.Exit{Status: -1, Signal: "SIGTERM", Cause: "killed by SIGTERM"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h, err := Open(child(t, "read x || "+tt.script))
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			if tt.signal != 0 {
				if err := h.Signal(tt.signal); err != nil {
					t.Fatal(err)
				}
			}
			if err := h.Wait(); err != nil {
				t.Fatal(err)
			}
			if h.Identity().Alive() {
				t.Error("a zombie counts as alive")
			}
			status, err := h.Reap()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, ExitOf(status, time.Time{})); diff != "" {
				t.Error(diff)
			}
			if err := h.Signal(unix.SIGTERM); !errors.Is(err, ErrGone) {
				t.Errorf("signal after the end: got %v, want ErrGone", err)
			}
		})
	}
}

func TestOpenRefusesAReusedNumber(t *testing.T) {
	t.Parallel()
	id := child(t, "exec sleep 60")
	for _, stranger := range []Identity{
		{PID: id.PID, StartTime: id.StartTime + 1, BootID: id.BootID},
		{PID: id.PID, StartTime: id.StartTime, BootID: "another boot"},
		{PID: 0}, {PID: 1}, {PID: -5},
	} {
		if _, err := Open(stranger); !errors.Is(err, ErrGone) {
			t.Errorf("Open(%+v): got %v, want ErrGone", stranger, err)
		}
		if stranger.Alive() {
			t.Errorf("%+v counts as alive", stranger)
		}
	}
}

func TestGroupAndUsageCountTheWholeGroup(t *testing.T) {
	t.Parallel()
	id := child(t, "sleep 60 & exec sleep 60")
	deadline := time.Now().Add(time.Minute)
	for len(Group(id.PID)) < 2 && time.Now().Before(deadline) {
		runtime.Gosched()
	}
	if got := len(Group(id.PID)); got != 2 {
		t.Fatalf("got %d processes in the group, want 2", got)
	}
	eventually(t, "memory, and 2 threads", func() bool { // a process has none while it becomes its program
		u := new(Meter).Read([]int{id.PID})[id.PID]
		return u.PSS > 0 && u.RSS > 0 && u.Threads == 2
	})
	if InGroup(os.Getpid(), id.PID) {
		t.Error("the test counts as one of the group")
	}
}

func TestListensOnIsTheGroupsOwn(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	if !ListensOn(syscall.Getpgrp(), port) {
		t.Error("our own listener was not found")
	}
	if stranger := child(t, "exec sleep 60"); ListensOn(stranger.PID, port) {
		t.Error("our listener was taken for a stranger's")
	}
}

func TestReapStrangersLeavesOursAlone(t *testing.T) {
	t.Parallel()
	ours, stranger := child(t, "exit 3"), child(t, "exit 4")
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		ReapStrangers(ctx, func(pid int) bool { return pid != stranger.PID })
		close(done)
	}()
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		if _, err := readStat(stranger.PID); err != nil {
			break
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGCHLD) // the last one may have come before the stranger's end
		runtime.Gosched()
	}
	if _, err := readStat(stranger.PID); err == nil {
		t.Error("the stranger is still there")
	}
	stop()
	<-done
	var status unix.WaitStatus
	if _, err := unix.Wait4(ours.PID, &status, 0, nil); err != nil || status.ExitStatus() != 3 {
		t.Errorf("our child: got status %d, %v, want 3", status.ExitStatus(), err)
	}
}

func TestCleanMappings(t *testing.T) {
	t.Parallel()
	const exe = "/opt/passenger-pool"
	tests := []struct {
		line string
		want bool
	}{
		{"00400000-00900000 r-xp 00000000 fe:00 1234 /opt/passenger-pool", true},
		{"00900000-00f00000 r--p 00500000 fe:00 1234 /opt/passenger-pool", true},
		{"00f00000-00f50000 rw-p 00b00000 fe:00 1234 /opt/passenger-pool", false},
		{"c000000000-c000400000 rw-p 00000000 00:00 0", false},
		{"7f0000000000-7f0000001000 r-xp 00000000 00:00 0 [vdso]", false},
		{"", false},
	}
	for _, tt := range tests {
		if _, _, got := clean(tt.line, exe); got != tt.want {
			t.Errorf("clean(%q): got %v, want %v", tt.line, got, tt.want)
		}
	}
	Settle() // and the program goes on
}

func TestParseLimit(t *testing.T) {
	t.Parallel()
	got, err := ParseLimit("nofile=1024")
	if want := (Limit{Resource: unix.RLIMIT_NOFILE, Name: "nofile", Value: 1024}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, bad := range []string{"", "nofile", "nofile=", "nofile=-1", "nofile=1k", "files=3"} {
		if _, err := ParseLimit(bad); err == nil {
			t.Errorf("ParseLimit(%q) did not fail", bad)
		}
	}
	if _, err := ParseLimit("nofiles=3"); err == nil || !strings.Contains(err.Error(), `did you mean "nofile"?`) {
		t.Errorf("got %v, want the nearest name", err)
	}
}

func TestSignalAfterCloseIsGone(t *testing.T) {
	t.Parallel()
	h, err := Open(child(t, "exec sleep 60"))
	if err != nil {
		t.Fatal(err)
	}
	h.Close()
	if err := h.Signal(unix.SIGTERM); !errors.Is(err, ErrGone) {
		t.Errorf("got %v, want ErrGone", err)
	}
}

func TestKillCarriersFindsWhatLeftItsGroup(t *testing.T) {
	t.Parallel()
	const variable = "PROC_TEST_CARRIER=1"
	start := func(env ...string) *exec.Cmd {
		c := exec.Command("sleep", "60")
		c.Env = append(os.Environ(), env...)
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = c.Process.Kill() // gone is fine
			_ = c.Wait()
		})
		return c
	}
	a, b, other := start(variable), start(variable), start("PROC_TEST_CARRIER=10")
	if got := KillCarriers(variable, a.Process.Pid); got != 1 {
		t.Errorf("killed in the group: got %d, want 1", got)
	}
	if err := a.Wait(); err == nil {
		t.Error("the carrier in the group was not killed")
	}
	if got := KillCarriers(variable, 0); got != 1 {
		t.Errorf("killed: got %d, want 1", got)
	}
	if err := b.Wait(); err == nil {
		t.Error("the other carrier was not killed")
	}
	if id, err := IdentityOf(other.Process.Pid); err != nil || !id.Alive() {
		t.Error("a process with another value was killed")
	}
}

func TestListeningNamesThePorts(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "[::]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got, port := Listening(syscall.Getpgrp()), l.Addr().(*net.TCPAddr).Port; !slices.Contains(got, port) {
		t.Errorf("got %v, want %d among them", got, port)
	}
}
