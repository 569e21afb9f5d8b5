package proc

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMain lets the test binary stand in for a process that changes itself and
// becomes a command, and for one that hands its files on to a successor.
func TestMain(m *testing.M) {
	if text := os.Getenv("PROC_TEST_CHANGE"); text != "" {
		os.Exit(becomeCommand(text))
	}
	if os.Getenv("PROC_TEST_SUCCEED") != "" {
		os.Exit(succeed())
	}
	os.Exit(m.Run())
}

func becomeCommand(change string) int {
	var c Change
	err := json.Unmarshal([]byte(change), &c)
	if err == nil {
		err = c.Apply()
	}
	if err == nil {
		err = Exec(os.Args[1:], []string{"PATH=/usr/bin:/bin", "LC_ALL=C"})
	}
	fmt.Println(err)
	return 1
}

// becoming runs a shell script in a process that changed itself before.
func becoming(t *testing.T, c Change, script string) string {
	t.Helper()
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe", "sh", "-c", script)
	cmd.Env = append(os.Environ(), "PROC_TEST_CHANGE="+string(b))
	out, _ := cmd.CombinedOutput() // what it says is what is tested
	return strings.TrimSpace(string(out))
}

func TestChangesOfAProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		t.Fatal(err)
	}
	mask, adjustment := 0o27, 500
	own, err := exec.Command("nice").Output() // of the tests themselves
	if err != nil {
		t.Fatal(err)
	}
	niceness, err := strconv.Atoi(strings.TrimSpace(string(own)))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		c      Change
		script string
		want   string
	}{
		{"nothing", Change{}, "echo $0 $PATH", "sh /usr/bin:/bin"},
		{"umask", Change{Umask: &mask}, "umask", "0027"},
		{"a limit", Change{Limits: []Limit{{unix.RLIMIT_NOFILE, "nofile", 77}}}, "ulimit -n; ulimit -Hn", "77\n77"},
		{"nice", Change{Nice: 3}, "nice", strconv.Itoa(min(niceness+3, 19))},
		{"OOM score", Change{OOMScoreAdj: &adjustment}, "cat /proc/self/oom_score_adj", "500"},
		{"no new privileges", Change{NoNewPrivileges: true}, "grep NoNewPrivs /proc/self/status", "NoNewPrivs:\t1"},
		{"directory", Change{Dir: dir, Device: st.Dev, Inode: st.Ino}, "pwd", dir},
		{"a directory that is another now", Change{Dir: dir, Device: st.Dev, Inode: st.Ino + 1}, "pwd", fmt.Sprintf("change to directory %q: another directory has taken its place", dir)},
		{"a directory that is missing", Change{Dir: dir + "/x"}, "pwd", fmt.Sprintf("change to directory %q: no such file or directory", dir+"/x")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := becoming(t, tt.c, tt.script); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAnotherUserHasNoPrivilegeLeft(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root becomes another user")
	}
	user := &User{UID: 54320, GID: 54321, Groups: []int{54322, 54321}}
	got := becoming(t, Change{Switch: user}, "id -u; id -G; grep -E 'Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status | grep -v 0000000000000000")
	if want := "54320\n54321 54322"; got != want {
		t.Errorf("got %q, want %q and no capability", got, want)
	}
	closed := filepath.Join(t.TempDir(), "closed")
	if err := os.MkdirAll(closed+"/app", 0o755); err != nil {
		t.Fatal(err)
	}
	for dir := filepath.Dir(closed); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	got = becoming(t, Change{Switch: user, Dir: closed + "/app"}, "pwd")
	if want := fmt.Sprintf("may not enter %s (mode 0700, owner root)", closed); !strings.Contains(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestExecNamesWhatItCannotRun(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("/proc/self/exe", "no-such-command")
	cmd.Env = append(os.Environ(), "PROC_TEST_CHANGE={}")
	out, _ := cmd.CombinedOutput()
	if got, want := string(out), `execute "no-such-command": executable file not found in $PATH`; !strings.Contains(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// succeed hands a pipe's end on to itself; the successor writes into it.
func succeed() int {
	files := Inherited()
	if f := files["told"]; f != nil {
		_, err := fmt.Fprintf(f, "pid %d, %d files, variable %q", os.Getpid(), len(files), os.Getenv(inheritedVariable))
		if err != nil {
			return 1
		}
		return 0
	}
	fmt.Println(os.Getpid())
	fmt.Println(Succeed("/proc/self/exe", map[string]*os.File{"told": os.NewFile(3, "told")}))
	return 1
}

func TestSuccessorHasTheFilesAndThePID(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "PROC_TEST_SUCCEED=1")
	cmd.ExtraFiles = []*os.File{w}
	out, err := cmd.CombinedOutput()
	w.Close()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	told := make([]byte, 200)
	n, err := r.Read(told)
	if want := fmt.Sprintf("pid %s, 1 files, variable \"\"", strings.TrimSpace(string(out))); err != nil || string(told[:n]) != want {
		t.Errorf("got %q, %v, want %q", told[:n], err, want)
	}
}

func TestSignalsAreGivenBack(t *testing.T) {
	t.Parallel()
	test := []string{executable(t), "-test.run", "^TestRestored$"}
	ignores := exec.Command("/bin/sh", append([]string{"-c", "trap '' HUP INT; exec \"$@\"", "sh"}, test...)...)
	blocks := exec.Command(test[0], test[1:]...)
	for want, cmd := range map[string]*exec.Cmd{
		"ignored 3, then 0":   ignores,
		"blocked 200, then 0": blocks, // some shells unblock all
	} {
		cmd.Env = append(os.Environ(), "PROC_TEST_RESTORE=1")
		if out, err := outputWithBlocked(cmd); err != nil || !strings.Contains(string(out), want) {
			t.Errorf("got %v, %s, want %q", err, out, want)
		}
	}
}

// outputWithBlocked runs a command that has SIGUSR1 blocked.
func outputWithBlocked(cmd *exec.Cmd) ([]byte, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var usr1, before unix.Sigset_t
	usr1.Val[0] = 1 << (syscall.SIGUSR1 - 1)
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &usr1, &before); err != nil {
		return nil, err
	}
	out, err := cmd.CombinedOutput()
	return out, errors.Join(err, unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil))
}

func executable(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRestored is the child of the test above.
func TestRestored(t *testing.T) {
	if os.Getenv("PROC_TEST_RESTORE") == "" {
		t.Skip("it is for the test of signals")
	}
	runtime.LockOSThread()
	const ignored, blocked = 1<<(syscall.SIGHUP-1) | 1<<(syscall.SIGINT-1), 1 << (syscall.SIGUSR1 - 1)
	ign, blk := signalSet(t, "SigIgn:")&ignored, signalSet(t, "SigBlk:")&blocked
	RestoreSignals()
	fmt.Printf("ignored %x, then %x; blocked %x, then %x\n", ign, signalSet(t, "SigIgn:")&ignored, blk, signalSet(t, "SigBlk:")&blocked)
}

// signalSet is a set of signals of this thread, as bits.
func signalSet(t *testing.T, name string) (bits uint64) {
	t.Helper()
	b, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), name)
	if _, err := fmt.Sscanf(rest, "%x", &bits); err != nil {
		t.Fatal(err)
	}
	return bits
}
