// Package dist_test runs the wrapper with daemons that are this test binary.
package dist_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/statedir"
	"passenger/lib/unixsock"
	"passenger/lib/wrapper"
)

// patience is far longer than anything here takes.
const patience = time.Minute

func TestMain(m *testing.M) {
	daemon, ok := strings.CutPrefix(filepath.Base(os.Args[0]), "passenger-")
	if !ok {
		os.Exit(m.Run())
	}
	os.Exit(fake(daemon, os.Args[1:]))
}

// fake plays a daemon that says in $EVENTS what it does.
func fake(daemon string, args []string) int {
	switch args[0] {
	case "hold":
		_ = os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
		command := args[slices.Index(args, "--")+1:]
		fmt.Fprintln(os.Stderr, syscall.Exec(command[0], command, os.Environ()))
		return 1
	case "detect":
		fmt.Println("\ngeneric") // of --field=environment,app_type
		return 0
	case "words":
		return wrapper.Read(args[1:])
	case "check", "list", "wait", "kill":
		return 0
	case "--version":
		fmt.Println("passenger-" + daemon + " 1.2.3")
		return 0
	}
	event(daemon + " " + strings.Join(args, " "))
	if os.Getenv("FAIL") == daemon {
		fmt.Fprintf(os.Stderr, "passenger-%s: error: cannot start: it is a test\n", daemon)
		return 3
	}
	path := ""
	for i, a := range args {
		if a == "--state-dir" {
			path = args[i+1]
		}
	}
	if err := serve(daemon, path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func serve(daemon, path string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	d, err := statedir.Open(path)
	if err != nil {
		return err
	}
	lock, err := d.Lock(daemon)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	l, err := unixsock.Listen(d.Socket(daemon), 0o600)
	if err != nil {
		return err
	}
	s := &control.Server{Program: "passenger-" + daemon, Release: "test"}
	for _, path := range []string{protocol.PathProcesses, protocol.PathApps} {
		s.Register(control.Call{Method: "GET", Path: path, Access: protocol.Reads, Handler: func(*control.Request) (any, error) { return nil, nil }})
	}
	event(daemon + " up")
	err = s.Serve(ctx, l)
	event(daemon + " stops")
	if os.Getenv("HANG") == daemon {
		select {}
	}
	return err
}

func event(line string) {
	f, err := os.OpenFile(os.Getenv("EVENTS"), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if _, err := f.WriteString(line + "\n"); err != nil {
		panic(err)
	}
}

// A run is one "passenger start".
type run struct {
	t      *testing.T
	cmd    *exec.Cmd
	state  string
	events string
	env    []string
	output bytes.Buffer
	ended  chan struct{} // closed once cmd has been waited for
}

// programs makes a folder with the wrapper and the four programs.
func programs(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"spawn", "pool", "proxy", "status"} {
		if err := os.Symlink(self, filepath.Join(bin, "passenger-"+p)); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile("passenger")
	if err != nil {
		t.Fatal(err)
	}
	// A child that another test forks meanwhile would hold the file open for
	// writing, and no process could execute it.
	syscall.ForkLock.RLock()
	err = os.WriteFile(filepath.Join(bin, "passenger"), text, 0o755)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

func start(t *testing.T, env []string, args ...string) *run {
	t.Helper()
	base, err := os.MkdirTemp("/tmp", "wrap") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	r := &run{t: t, state: filepath.Join(base, "s"), events: filepath.Join(base, "events"), ended: make(chan struct{})}
	r.env = append(os.Environ(), "EVENTS="+r.events)
	r.env = append(r.env, env...)
	r.cmd = exec.Command(filepath.Join(programs(t), "passenger"), append([]string{"start", "--state-dir", r.state}, args...)...)
	r.cmd.Env, r.cmd.Dir = r.env, base
	r.cmd.Stdout, r.cmd.Stderr = &r.output, &r.output
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.cmd.WaitDelay = patience
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = r.cmd.Wait(); close(r.ended) }() // ProcessState tells
	t.Cleanup(func() {
		_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL) // what a failed test left
		<-r.ended
		if t.Failed() {
			t.Logf("events:\n%s\noutput:\n%s", r.lines(), r.output.String())
		}
	})
	return r
}

func (r *run) lines() string {
	b, err := os.ReadFile(r.events)
	if err != nil {
		return ""
	}
	return string(b)
}

// eventually waits for a fact; the poll is short and the bound is long.
func (r *run) eventually(what string, fact func() bool) {
	r.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for !fact() {
		select {
		case <-tick.C:
		case <-limit:
			r.t.Fatalf("waited %v for: %s", patience, what)
		}
	}
}

func (r *run) awaitStarted() {
	r.t.Helper()
	r.eventually("the start", func() bool {
		_, err := os.Stat(filepath.Join(r.state, "wrapper", "started"))
		return err == nil
	})
}

func (r *run) awaitEvent(line string, times int) {
	r.t.Helper()
	r.eventually(fmt.Sprintf("%d × %q", times, line), func() bool { return strings.Count(r.lines(), line+"\n") >= times })
}

func (r *run) signal(sig syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		r.t.Fatal(err)
	}
}

// end waits for the wrapper's end and checks that it left nothing behind.
func (r *run) end(status int) {
	r.t.Helper()
	select {
	case <-r.ended:
	case <-time.After(patience):
		r.t.Fatal("the wrapper does not end")
	}
	if got := r.cmd.ProcessState.ExitCode(); got != status {
		r.t.Errorf("got status %d, want %d", got, status)
	}
	if _, err := os.Stat(r.state); !errors.Is(err, os.ErrNotExist) {
		r.t.Errorf("got %v for the state directory, want it gone", err)
	}
	r.eventually("the group to be empty", func() bool {
		return errors.Is(syscall.Kill(-r.cmd.Process.Pid, 0), syscall.ESRCH)
	})
}

func (r *run) daemon(name string) int {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.state, name+".lock"))
	if err != nil {
		r.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		r.t.Fatal(err)
	}
	return pid
}

func TestStopsInTheOrderInWhichRequestsPass(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "-p", "4000", "--max-pool-size=3", "-e", "staging", "--min-instances", "2")
	r.awaitStarted()
	syscall.Kill(-r.cmd.Process.Pid, syscall.SIGINT) // Ctrl-C reaches the whole group
	r.end(0)
	got := strings.Split(strings.TrimSpace(r.lines()), "\n")
	want := []string{"spawn up", "pool up", "proxy up", "proxy stops", "pool stops", "spawn stops"}
	i := 0
	for _, line := range got {
		if i < len(want) && line == want[i] {
			i++
		}
	}
	if i != len(want) {
		t.Errorf("got %q, want %q in order", got, want)
	}
	for _, part := range []string{"--listen=127.0.0.1:4000", "--max-pool-size=3 --set environment=staging --set min_instances=2 -- ", "serve --stop-on-exit"} {
		if !strings.Contains(r.lines(), part) {
			t.Errorf("got no %q in\n%s", part, r.lines())
		}
	}
	if !strings.Contains(r.output.String(), "http://127.0.0.1:4000/") {
		t.Errorf("got no URL in %q", r.output.String())
	}
}

func TestStartsAgainWhatDies(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	r.awaitStarted()
	for _, d := range []string{"spawn", "pool", "proxy"} {
		if err := syscall.Kill(r.daemon(d), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		r.awaitEvent(d+" up", 2)
	}
	r.signal(syscall.SIGTERM)
	r.end(0)
}

func TestPausesGrow(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	r.awaitStarted()
	for n := 1; n < 4; n++ {
		r.awaitEvent("pool up", n)
		if err := syscall.Kill(r.daemon("pool"), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		r.awaitEvent("pool up", n+1)
	}
	r.signal(syscall.SIGTERM)
	r.end(0)
	for _, pause := range []string{"starting it again\n", "in 0.1 s", "in 0.2 s"} {
		if !strings.Contains(r.output.String(), pause) {
			t.Errorf("got no %q in\n%s", pause, r.output.String())
		}
	}
}

func TestDaemonThatCannotStartEndsAll(t *testing.T) {
	t.Parallel()
	for _, d := range []string{"spawn", "pool", "proxy"} {
		t.Run(d, func(t *testing.T) {
			t.Parallel()
			r := start(t, []string{"FAIL=" + d})
			r.end(3)
			if out := r.output.String(); !strings.Contains(out, "passenger-"+d+": error: cannot start: it is a test") {
				t.Errorf("got no reason in %q", out)
			}
			if n := strings.Count(r.lines(), d+" serve"); n != 1 {
				t.Errorf("got %d starts, want 1", n)
			}
		})
	}
}

func TestSecondSignalStopsAtOnce(t *testing.T) {
	t.Parallel()
	r := start(t, []string{"HANG=pool"})
	r.awaitStarted()
	r.signal(syscall.SIGINT)
	r.awaitEvent("pool stops", 1)
	began := time.Now() // a signal that comes with the first is the same wish
	r.eventually("the time of another wish", func() bool { return time.Since(began) > 150*time.Millisecond })
	r.signal(syscall.SIGINT)
	r.end(0)
}

// TestSignalsThatComeTogetherAreOneWish is what timeout(1) does: it signals us
// and our group.
func TestSignalsThatComeTogetherAreOneWish(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	r.awaitStarted()
	syscall.Kill(r.cmd.Process.Pid, syscall.SIGTERM)
	syscall.Kill(r.cmd.Process.Pid, syscall.SIGINT)
	r.end(0)
	if strings.Contains(r.output.String(), "stopping at once") {
		t.Errorf("two signals at the same time stopped it at once:\n%s", r.output.String())
	}
}

func TestSignalWhileItStarts(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	r.awaitEvent("spawn up", 1)
	r.signal(syscall.SIGTERM)
	r.end(0)
}

func TestStopCommand(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	r.awaitStarted()
	r.wrapper(0, "stop", "--state-dir", r.state)
	r.end(0)
	r.wrapper(3, "stop", "--state-dir", r.state)
}

func TestStopCommandAfterTheWrapperWasKilled(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	r.awaitStarted()
	pid := r.daemon("spawn")
	r.signal(syscall.SIGKILL)
	// Its children hold the output open, so Wait goes on; the daemons, too.
	r.wrapper(0, "stop", "--state-dir", r.state)
	r.eventually("the spawner to be gone", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
	if got := r.lines(); !strings.HasSuffix(got, "proxy stops\npool stops\nspawn stops\n") {
		t.Errorf("got %q, want the three stopped in order", got)
	}
}

func TestSecondStartIsRefused(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	r.awaitStarted()
	out := r.wrapper(1, "start", "--state-dir", r.state)
	if want := fmt.Sprintf("is in use by passenger (pid %d)", r.cmd.Process.Pid); !strings.Contains(out, want) {
		t.Errorf("got %q, want %q", out, want)
	}
	r.signal(syscall.SIGTERM)
	r.end(0)
}

// wrapper runs the wrapper to its end and returns its output.
func (r *run) wrapper(status int, args ...string) string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.cmd.Path, args...)
	cmd.Env, cmd.Dir = r.env, r.cmd.Dir
	out, _ := cmd.CombinedOutput() // the status tells
	if got := cmd.ProcessState.ExitCode(); got != status {
		r.t.Errorf("passenger %v: got status %d, want %d:\n%s", args, got, status, out)
	}
	return string(out)
}

func TestUsage(t *testing.T) {
	t.Parallel()
	r := &run{t: t, cmd: &exec.Cmd{Path: filepath.Join(programs(t), "passenger"), Dir: t.TempDir()}}
	r.env = append(os.Environ(), "XDG_RUNTIME_DIR="+r.cmd.Dir, "PASSENGER_STATE_DIR="+filepath.Join(r.cmd.Dir, "s"))
	for args, want := range map[string]string{
		"frob":                        "",
		"start --frob":                `unknown flag --frob`,
		"start -p":                    `--port needs a value`,
		"start -p 0":                  `"0" is not a port`,
		"start --port=65536":          `"65536" is not a port`,
		"start -p x":                  `"x" is not a port`,
		"start --state-dir=":          `--state-dir needs a value`,
		"start -S s -p 1":             `--socket excludes`,
		"stop --environment=x":        `unknown flag --environment, which is of "passenger start"`,
		"stop a":                      `unexpected argument a`,
		"start --max-pool-size=":      `whole number`,
		"start --proxy=state-dir=/x":  `all daemons have one state directory`,
		"start --tls --certificate=x": `each --certificate needs its --key`,
		"start --acme-domain=x":       `add --tls or --tls-port`,
		"start --tls-port=3000":       `--tls-port is 3000, where HTTP is served`,
	} {
		if out := r.wrapper(2, strings.Fields(args)...); !strings.Contains(out, want) || !strings.Contains(out, "hint: ") {
			t.Errorf("passenger %s: got %q, want %q and a hint", args, out, want)
		}
	}
	for _, args := range []string{"", "help", "--help", "start --help", "version"} {
		r.wrapper(0, strings.Fields(args)...)
	}
	if out := r.wrapper(0, "--version"); out != "passenger 1.2.3\nPhusion Passenger 6.0.17-compatible\n" {
		t.Errorf("got version %q", out)
	}
	if out := r.wrapper(1, "start", "missing"); !strings.Contains(out, `cannot serve "missing": no such directory`) {
		t.Errorf("got %q", out)
	}
	r.wrapper(3, "stop")
	r.wrapper(3, "restart")
}
