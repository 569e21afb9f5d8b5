package spawn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/secret"
)

func TestProcessContract(t *testing.T) {
	t.Parallel()
	s, _ := newSpawner(t, shortDir(t))
	real := t.TempDir()
	link := filepath.Join(t.TempDir(), "current")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	leak := filepath.Join(t.TempDir(), "leak")
	fd, err := unix.Open(leak, unix.O_CREAT|unix.O_RDWR, 0o600) // without O_CLOEXEC
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	config := appConfig("ready")
	config.AppRoot, config.Environment = link, "staging"
	config.EnvVars["LISTEN_FDS"], config.EnvVars["LISTEN_PID"], config.EnvVars["PORT"], config.EnvVars["OWN"] = "7", "1", "80", "a=b"
	r, err := s.Spawn(t.Context(), request("abcd", config))
	if err != nil {
		t.Fatal(err)
	}
	w := ask(t, r)
	if w.PID != r.PID || w.Group != r.PID || w.Parent != os.Getpid() {
		t.Errorf("got pid %d, group %d, parent %d, want %d, %d, %d", w.PID, w.Group, w.Parent, r.PID, r.PID, os.Getpid())
	}
	dir := s.dir.Process("abcd")
	for number, want := range map[string]string{"0": os.DevNull, "1": dir.Stdout(), "2": dir.Stderr(), "3": "socket:", "4": "socket:"} {
		if got := w.Descriptors[number]; !strings.HasPrefix(got, want) {
			t.Errorf("descriptor %s: got %q, want %q", number, got, want)
		}
	}
	for number, got := range w.Descriptors {
		if got == leak {
			t.Errorf("descriptor %s is one of ours", number)
		}
	}
	if w.Dir != real || r.AppRoot != real {
		t.Errorf("got directory %q, app root %q, want %q", w.Dir, r.AppRoot, real)
	}
	var st unix.Stat_t
	if err := unix.Stat(real, &st); err != nil || r.Device != st.Dev || r.Inode != st.Ino || r.UID == nil || *r.UID != os.Geteuid() || r.Foreign {
		t.Errorf("got %+v of the app root, want device %d and inode %d", r.Root, st.Dev, st.Ino)
	}
	if w.Ignored != strings.Repeat("0", 16) {
		t.Errorf("got ignored signals %s, want none", w.Ignored)
	}
	for name, want := range map[string]string{
		"LISTEN_FDS": "1", "LISTEN_PID": strconv.Itoa(r.PID), "NOTIFY_SOCKET": r.NotifySocket, "PASSENGER_NOTIFY_FD": "4",
		"PWD": link, "RAILS_ENV": "staging", "RACK_ENV": "staging", "WSGI_ENV": "staging", "NODE_ENV": "staging",
		"PASSENGER_APP_ENV": "staging", "IN_PASSENGER": "1", "OWN": "a=b", "USER": r.User,
	} {
		if w.Env[name] != want {
			t.Errorf("%s: got %q, want %q", name, w.Env[name], want)
		}
	}
	if w.Env["PORT"] == "80" || w.Env["PATH"] == "" || w.Env["HOME"] == "" || w.Env["SHELL"] == "" {
		t.Errorf("got PORT %q, PATH %q, HOME %q, SHELL %q", w.Env["PORT"], w.Env["PATH"], w.Env["HOME"], w.Env["SHELL"])
	}
	if fi, err := os.Stat(s.dir.Process("abcd").Socket()); err != nil || fi.Mode().Perm() != 0o660 {
		t.Errorf("socket: got %v, %v, want mode 0660", fi, err)
	}
	id := proc.Identity{PID: r.PID, StartTime: r.StartTime, BootID: r.BootID}
	if r.State != protocol.Ready || r.Generation != 1 || !id.Alive() || r.ReadyAt.Before(r.StartedAt) || r.DataProtocol != "http" || r.Concurrency != 0 {
		t.Errorf("got record %+v", r)
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	for role, network := range map[string]string{
		"ready": "unix:", "ready-by-name": "unix:", "accept": "unix:", "port": "tcp:127.0.0.1:", "port-ready": "tcp:127.0.0.1:",
	} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			s, _ := newSpawner(t, shortDir(t))
			r := mustSpawn(t, s, "abcd", role)
			if !strings.HasPrefix(r.Address, network) {
				t.Errorf("got address %q, want %q first", r.Address, network)
			}
			if w := ask(t, r); w.PID != r.PID {
				t.Errorf("got an answer of pid %d, want %d", w.PID, r.PID)
			}
		})
	}
}

func TestSpawnErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		role     string
		change   func(*protocol.AppConfig)
		category protocol.Category
		summary  string
		phase    string
		output   string
	}{
		{role: "exit 0", category: protocol.CategoryExit, summary: "exited with status 0 before it was ready", phase: "load", output: "last words"},
		{role: "exit 7", category: protocol.CategoryExit, summary: "exited with status 7 before it was ready", phase: "load", output: "last words"},
		{role: "kill", category: protocol.CategoryKilled, summary: "killed by SIGKILL before it was ready", phase: "load", output: "role kill"},
		{role: "background", category: protocol.CategoryExit, summary: "it went into the background", phase: "load"},
		{role: "background setsid", category: protocol.CategoryExit, summary: "it went into the background", phase: "load"},
		{role: "silent", change: shortStart, category: protocol.CategoryTimeout, summary: "the app did not listen on $PORT", phase: "load", output: "role silent"},
		{role: "other-port", change: shortStart, category: protocol.CategoryPort, summary: "and not on $PORT", phase: "load"},
		{role: `failing {"category":"dependency","summary":"The gem \"x\" is missing.","advice":"Install it."}`,
			category: protocol.CategoryDependency, summary: `the gem "x" is missing`, phase: "load", output: "  backtrace"},
		{role: `failing-on {"category":"app","summary":"The app raised E."}`, category: protocol.CategoryApp, summary: "the app raised E", phase: "load"},
		{role: "command", change: command("/no/such/command"), category: protocol.CategoryInterpreter, summary: `the command "/no/such/command" does not exist`, phase: "load"},
		{role: "not executable", change: command("/etc/passwd"), category: protocol.CategoryPermission, summary: `the command "/etc/passwd" may not be executed`, phase: "load"},
		{role: "shell", change: command("'unclosed"), category: protocol.CategoryConfig, summary: "app_start_command is not shell", phase: "load"},
		{role: "no app", change: func(c *protocol.AppConfig) { c.StartCommand = "" }, category: protocol.CategoryConfig, summary: "holds no app of a known type", phase: "prepare"},
		{role: "no directory", change: func(c *protocol.AppConfig) { c.AppRoot = "/no/such/directory" }, category: protocol.CategoryConfig, summary: "no such file or directory", phase: "prepare"},
		{role: "no interpreter", change: rackWith("/no/such/ruby"), category: protocol.CategoryInterpreter, summary: `"/no/such/ruby"`, phase: "preload"},
	} {
		t.Run(tt.role, func(t *testing.T) {
			t.Parallel()
			s, _ := newSpawner(t, shortDir(t))
			config := appConfig(tt.role)
			config.AppRoot = t.TempDir()
			if err := os.WriteFile(filepath.Join(config.AppRoot, "index.php"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			config.EnvVars["API_TOKEN"] = "hush"
			if tt.change != nil {
				tt.change(&config)
			}
			_, err := s.Spawn(t.Context(), request("abcd", config))
			var e *protocol.SpawnError
			if !errors.As(err, &e) {
				t.Fatalf("got error %v, want a SpawnError", err)
			}
			if e.Category != tt.category || !strings.Contains(e.Summary, tt.summary) || e.Advice == "" && tt.category != protocol.CategoryApp {
				t.Errorf("got %s: %q, advice %q, want %s: %q", e.Category, e.Summary, e.Advice, tt.category, tt.summary)
			}
			last := e.Phases[len(e.Phases)-1]
			if last.Name != tt.phase || !last.Failed {
				t.Errorf("got phases %+v, want %s to have failed", e.Phases, tt.phase)
			}
			if !strings.Contains(strings.Join(e.Output, "\n"), tt.output) {
				t.Errorf("got output %q, want %q", e.Output, tt.output)
			}
			if tt.phase != "prepare" {
				if v := e.Environment["API_TOKEN"]; v != secret.Hidden {
					t.Errorf("got API_TOKEN %q, want it redacted", v)
				}
				for _, p := range s.Processes().Get().Processes {
					if p.State != protocol.Exited {
						t.Errorf("left behind: %+v", p)
					}
					eventually(t, "the end of its group, which was killed", func() bool { return len(proc.Group(p.PID)) == 0 })
					if n := proc.KillCarriers("NOTIFY_SOCKET="+p.NotifySocket, 0); n > 0 {
						t.Errorf("left %d processes behind that had gone their own way", n)
					}
				}
			}
			if left, _ := filepath.Glob(filepath.Join(s.dir.Processes(), "*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// shortStart leaves an app the time that it takes to get to what fails.
func shortStart(c *protocol.AppConfig) { c.StartTimeout = 10 }

func command(command string) func(*protocol.AppConfig) {
	return func(c *protocol.AppConfig) { c.StartCommand = command }
}

func rackWith(ruby string) func(*protocol.AppConfig) {
	return func(c *protocol.AppConfig) {
		c.StartCommand, c.Type, c.Ruby, c.StartupFile = "", "rack", ruby, "index.php"
	}
}

func TestBadRequestsStartNothing(t *testing.T) {
	t.Parallel()
	s, _ := newSpawner(t, shortDir(t))
	config := appConfig("ready")
	for _, req := range []protocol.SpawnRequest{
		{ID: "../x", App: "app", Config: &config}, {ID: "abc", App: "app", Config: &config}, {ID: "ABCD", App: "app", Config: &config},
		{ID: "abcd", App: "app"}, {ID: "abcd", Config: &config}, {ID: "abcd", App: "app", Generation: -1, Config: &config},
	} {
		_, err := s.Spawn(t.Context(), req)
		var pe *protocol.Error
		if !errors.As(err, &pe) || pe.Code != protocol.CodeBadRequest {
			t.Errorf("%+v: got %v, want bad-request", req, err)
		}
	}
	mustSpawn(t, s, "abcd", "ready")
	_, err := s.Spawn(t.Context(), request("abcd", config))
	var pe *protocol.Error
	if !errors.As(err, &pe) || pe.Code != protocol.CodeConflict {
		t.Errorf("an ID in use: got %v, want conflict", err)
	}
}

func TestStrangersAreNotBelieved(t *testing.T) {
	t.Parallel()
	s, out := newSpawner(t, shortDir(t))
	config := appConfig("silent")
	config.StartTimeout = 10 // it is looked at meanwhile
	spawned := make(chan error, 1)
	go func() {
		_, err := s.Spawn(t.Context(), request("abcd", config))
		spawned <- err
	}()
	out.await(t, "role silent")
	name := awaitState(t, s, "abcd", protocol.Starting).NotifySocket
	if err := notifyByName(name, "READY=1"); err != nil {
		t.Fatal(err)
	}
	var e *protocol.SpawnError
	if err := <-spawned; !errors.As(err, &e) || e.Category != protocol.CategoryTimeout {
		t.Errorf("got %v, want a timeout", err)
	}
}

func TestStop(t *testing.T) {
	t.Parallel()
	s, _ := newSpawner(t, shortDir(t))
	mustSpawn(t, s, "abcd", "ready")
	r, err := s.Stop("abcd", protocol.StopRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if r.State != protocol.Exited || r.Exit.Cause != "stopped by us: exited with status 0" || !r.Exit.ByUs || r.Exit.Status != 0 {
		t.Errorf("got %+v", r.Exit)
	}
	if _, err := os.Stat(string(s.dir.Process("abcd"))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("process directory: got %v, want it gone", err)
	}
	if again, err := s.Stop("abcd", protocol.StopRequest{}); err != nil || again.State != protocol.Exited {
		t.Errorf("a second stop: got %+v, %v", again, err)
	}
	if _, err := s.Stop("none", protocol.StopRequest{}); !errors.Is(err, ErrUnknown) {
		t.Errorf("got %v, want ErrUnknown", err)
	}
}

func TestStopKillsTheGroupAfterTheGrace(t *testing.T) {
	t.Parallel()
	s, out := newSpawner(t, shortDir(t))
	config := appConfig("stubborn")
	config.StopGrace = 10 // it answers SIGTERM meanwhile
	if _, err := s.Spawn(t.Context(), request("abcd", config)); err != nil {
		t.Fatal(err)
	}
	line := out.await(t, "grandchild ")
	grandchild, err := strconv.Atoi(strings.TrimSpace(line[strings.LastIndexByte(strings.TrimSpace(line), ' ')+1:]))
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Stop("abcd", protocol.StopRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Exit.Cause != "killed by us: did not stop within 10s" || r.Exit.Signal != "SIGKILL" || !r.Exit.ByUs {
		t.Errorf("got %+v", r.Exit)
	}
	out.await(t, "I will not")
	awaitGone(t, grandchild)
}

func TestStopWhileStarting(t *testing.T) {
	t.Parallel()
	s, out := newSpawner(t, shortDir(t))
	spawned := make(chan error, 1)
	go func() {
		_, err := s.Spawn(t.Context(), request("abcd", appConfig("silent")))
		spawned <- err
	}()
	out.await(t, "role silent")
	if _, err := s.Stop("abcd", protocol.StopRequest{}); err != nil {
		t.Fatal(err)
	}
	var e *protocol.SpawnError
	if err := <-spawned; !errors.As(err, &e) || e.Category != protocol.CategoryKilled || !strings.Contains(e.Summary, "stopped by us") {
		t.Errorf("got %v, want that we stopped it", err)
	}
}

func TestCancelledSpawnLeavesNothing(t *testing.T) {
	t.Parallel()
	s, out := newSpawner(t, shortDir(t))
	ctx, cancel := context.WithCancel(t.Context())
	spawned := make(chan error, 1)
	go func() {
		_, err := s.Spawn(ctx, request("abcd", appConfig("silent")))
		spawned <- err
	}()
	out.await(t, "role silent")
	cancel()
	if err := <-spawned; err == nil {
		t.Error("a cancelled spawn succeeded")
	}
	if r := awaitState(t, s, "abcd", protocol.Exited); len(proc.Group(r.PID)) > 0 {
		t.Errorf("left behind: %v", proc.Group(r.PID))
	}
}

func TestDeathIsSeenWithItsCause(t *testing.T) {
	t.Parallel()
	s, _ := newSpawner(t, shortDir(t))
	r := mustSpawn(t, s, "abcd", "ready")
	h, err := proc.Open(proc.Identity{PID: r.PID, StartTime: r.StartTime})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if err := h.Signal(9); err != nil {
		t.Fatal(err)
	}
	exit := awaitState(t, s, "abcd", protocol.Exited).Exit
	if exit.Cause != "killed by SIGKILL" || exit.Signal != "SIGKILL" || exit.ByUs || exit.Status != -1 || time.Since(exit.At) > time.Minute {
		t.Errorf("got %+v", exit)
	}
}

// Whoever decides about it has to know why a process went.
func TestExitHasTheLastWordsWithoutSecrets(t *testing.T) {
	t.Parallel()
	s, _ := newSpawner(t, shortDir(t))
	config := appConfig("crash")
	config.EnvVars["API_TOKEN"] = "hush-hush"
	r, err := s.Spawn(t.Context(), request("abcd", config))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(r.PID, syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	exit := awaitState(t, s, "abcd", protocol.Exited).Exit
	if n := len(exit.Output); exit.Status != 3 || n == 0 || exit.Output[n-1] != "Error: no licence for [redacted]" {
		t.Errorf("got %+v", exit)
	}
}

func TestParallelSpawnsDoNotMixTheirOutput(t *testing.T) {
	t.Parallel()
	s, out := newSpawner(t, shortDir(t))
	const n = 8
	spawned := make(chan protocol.Process, n)
	for i := range n {
		go func() {
			r, err := s.Spawn(t.Context(), request(fmt.Sprintf("id%02d", i), appConfig("chatty")))
			if err != nil {
				t.Error(err)
			}
			spawned <- r
		}()
	}
	pids := map[int]bool{}
	for range n {
		pids[(<-spawned).PID] = true
	}
	if len(pids) != n {
		t.Fatalf("got %d processes, want %d", len(pids), n)
	}
	next := map[int]int{}
	for range 200 {
		line := out.await(t, "] line ")
		var pid, i int
		if _, err := fmt.Sscanf(line, "[app %d] line %d\n", &pid, &i); err != nil || !pids[pid] {
			t.Fatalf("got line %q: %v", line, err)
		}
		if i != next[pid] {
			t.Fatalf("process %d: got line %d, want %d", pid, i, next[pid])
		}
		next[pid]++
	}
	s.StopAll()
	for _, p := range s.Processes().Get().Processes {
		if p.State != protocol.Exited {
			t.Errorf("after StopAll: %+v", p)
		}
	}
}
