package spawn

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/proc"
	"passenger/lib/protocol"
)

// preloaded are the settings of a Python app whose interpreter is
// testdata/interpreter, with a fault.
func preloaded(t *testing.T, fault string) protocol.AppConfig {
	t.Helper()
	interpreter, err := filepath.Abs("testdata/interpreter")
	if err != nil {
		t.Fatal(err)
	}
	root, once := t.TempDir(), filepath.Join(t.TempDir(), "once")
	for path, text := range map[string]string{filepath.Join(root, "passenger_wsgi.py"): "application = None\n", once: ""} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return protocol.AppConfig{
		Name: "app", AppRoot: root, Python: interpreter, StartTimeout: 120,
		EnvVars: map[string]string{"FAULT": fault, "ONCE": once},
	}
}

func spawnID(t *testing.T, s *Spawner, id string, c protocol.AppConfig, generation int) (protocol.Process, error) {
	t.Helper()
	req := request(id, c)
	req.Generation = generation
	return s.Spawn(t.Context(), req)
}

func TestForkedProcess(t *testing.T) {
	t.Parallel()
	s, _ := newSpawner(t, shortDir(t))
	c := preloaded(t, "")
	r, err := spawnID(t, s, "aaaa", c, 1)
	if err != nil {
		t.Fatal(err)
	}
	w := ask(t, r)
	if w.PID != r.PID || w.Group != r.PID || w.Parent != os.Getpid() || w.Dir != r.AppRoot {
		t.Errorf("got pid %d, group %d, parent %d, directory %q, want pid and group %d, parent %d, %q", w.PID, w.Group, w.Parent, w.Dir, r.PID, os.Getpid(), r.AppRoot)
	}
	dir := s.dir.Process("aaaa")
	for number, want := range map[string]string{"0": os.DevNull, "1": dir.Stdout(), "2": dir.Stderr(), "3": "socket:", "4": "socket:"} {
		if got := w.Descriptors[number]; !strings.HasPrefix(got, want) {
			t.Errorf("descriptor %s: got %q, want %q", number, got, want)
		}
	}
	loaders := s.Preloaders()
	if len(loaders) != 1 || loaders[0].ID != r.Preloader || loaders[0].Forked != 1 || loaders[0].State != protocol.Ready {
		t.Errorf("got preloaders %+v, want one that forked %s", loaders, r.ID)
	}
	if stopped, err := s.Stop(r.ID, protocol.StopRequest{}); err != nil || stopped.Exit == nil || stopped.Exit.Unknown || stopped.Exit.Status != 0 {
		t.Errorf("stop: got %+v, %v, want exit status 0", stopped.Exit, err)
	}
}

func TestParallelForksHaveOnePreloader(t *testing.T) {
	t.Parallel()
	s, _ := newSpawner(t, shortDir(t))
	c := preloaded(t, "")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			r, err := spawnID(t, s, fmt.Sprintf("par%d", i), c, 1)
			if err != nil || ask(t, r).PID != r.PID {
				t.Errorf("got %+v, %v", r, err)
			}
		})
	}
	wg.Wait()
	if loaders := s.Preloaders(); len(loaders) != 1 || loaders[0].Forked != 8 {
		t.Errorf("got preloaders %+v, want one that forked 8", loaders)
	}
}

// The race detector judges.
func TestPreloadersAreListedWhileTheyStart(t *testing.T) {
	t.Parallel()
	s, _ := newSpawner(t, shortDir(t))
	spawned := make(chan error, 1)
	go func() {
		_, err := spawnID(t, s, "aaaa", preloaded(t, ""), 1)
		spawned <- err
	}()
	for {
		select {
		case err := <-spawned:
			if l := s.Preloaders(); err != nil || len(l) != 1 || l[0].Forked != 1 {
				t.Errorf("got %v and preloaders %+v, want one that forked", err, l)
			}
			return
		default:
			s.Preloaders()
		}
	}
}

func TestPreloaderFaults(t *testing.T) {
	t.Parallel()
	for fault, want := range map[string]struct {
		forked    bool // else the process was started directly
		preloader bool // whether one is there afterwards
	}{
		"boot":          {false, false},
		"boot-once":     {true, true},
		"die":           {false, false},
		"die-once":      {true, true},
		"mid":           {false, false},
		"mid-once":      {true, true},
		"mute":          {false, true},
		"mute-once":     {true, true},
		"garbage":       {false, false},
		"other":         {false, false},
		"other-once":    {true, true},
		"imposter":      {false, true},
		"imposter-once": {true, true},
		"hang":          {false, false},
		"hang-once":     {true, true},
		"warn":          {false, false},
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			s, _ := newSpawner(t, shortDir(t))
			s.forkTimeout = 300 * time.Millisecond
			if want.forked {
				s.forkTimeout = 10 * time.Second // the second preloader forks by then
			}
			r, err := spawnID(t, s, "aaaa", preloaded(t, fault), 1)
			if err != nil {
				t.Fatal(err)
			}
			if forked := r.Preloader != ""; forked != want.forked || ask(t, r).PID != r.PID {
				t.Errorf("got a forked process %v, want %v", forked, want.forked)
			}
		})
	}
}

func TestPreloaderExplains(t *testing.T) {
	t.Parallel()
	for fault, want := range map[string]protocol.SpawnError{
		"explained": {Category: protocol.CategoryApp, Summary: "the app raised", Phases: []protocol.Phase{{Name: "prepare"}, {Name: "preload", Failed: true}}},
		"hook": {Category: protocol.CategoryApp, Summary: "the hook raised",
			Phases: []protocol.Phase{{Name: "prepare"}, {Name: "preload"}, {Name: "fork"}, {Name: "load", Failed: true}}},
		"refuse": {Category: protocol.CategorySystem, Summary: "cannot fork: no processes left",
			Phases: []protocol.Phase{{Name: "prepare"}, {Name: "preload"}, {Name: "fork", Failed: true}}},
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			s, _ := newSpawner(t, shortDir(t))
			_, err := spawnID(t, s, "aaaa", preloaded(t, fault), 1)
			var got *protocol.SpawnError
			if !errors.As(err, &got) {
				t.Fatalf("got %v, want a spawn error", err)
			}
			var phases []protocol.Phase
			for _, p := range got.Phases {
				phases = append(phases, protocol.Phase{Name: p.Name, Failed: p.Failed})
			}
			if got.Category != want.Category || got.Summary != want.Summary || fmt.Sprint(phases) != fmt.Sprint(want.Phases) || got.ProcessID != "aaaa" {
				t.Errorf("got %s: %q, phases %v, want %s: %q, %v", got.Category, got.Summary, phases, want.Category, want.Summary, want.Phases)
			}
			if _, err := os.Stat(string(s.dir.Process("aaaa"))); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the process's directory: %v, want it gone", err)
			}
		})
	}
}

func TestWarnedPythonIsForkedOnlyIfAsked(t *testing.T) {
	t.Parallel()
	s, _ := newSpawner(t, shortDir(t))
	c := preloaded(t, "warn")
	c.SpawnMethod = "smart"
	r, err := spawnID(t, s, "aaaa", c, 1)
	if err != nil || r.Preloader == "" {
		t.Fatalf("got preloader %q, %v, want a forked process", r.Preloader, err)
	}
	if l := s.Preloaders(); len(l) != 1 || fmt.Sprint(l[0].Warnings) != "[thread 1 runs thread 2 runs]" {
		t.Errorf("got %+v, want one preloader with two warnings", l)
	}
}

func TestDeathOfAPreloaderCostsNoProcess(t *testing.T) {
	t.Parallel()
	s, _ := newSpawner(t, shortDir(t))
	c := preloaded(t, "")
	first, err := spawnID(t, s, "aaaa", c, 1)
	if err != nil {
		t.Fatal(err)
	}
	l := s.preloaders[0]
	l.Kill("killed by the test")
	second, err := spawnID(t, s, "bbbb", c, 1)
	if err != nil {
		t.Fatal(err)
	}
	if ask(t, first).PID != first.PID || ask(t, second).PID != second.PID || first.Preloader == second.Preloader {
		t.Errorf("got %+v and %+v, want two that serve, of two preloaders", first, second)
	}
}

func TestIdlePreloaderGoes(t *testing.T) {
	t.Parallel()
	s, _ := newSpawner(t, shortDir(t))
	c := preloaded(t, "")
	idle := 0.05
	c.PreloaderIdleTime = &idle
	r, err := spawnID(t, s, "aaaa", c, 1)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "no preloader", func() bool { return len(s.Preloaders()) == 0 })
	if ask(t, r).PID != r.PID {
		t.Error("the process went with its preloader")
	}
	if entries, err := os.ReadDir(s.dir.Preloaders()); err != nil || len(entries) != 0 {
		t.Errorf("got %v, %v in the preloaders' directory, want nothing", entries, err)
	}
}

func TestGenerationIsPinnedToItsRelease(t *testing.T) {
	t.Parallel()
	s, _ := newSpawner(t, shortDir(t))
	c := preloaded(t, "")
	old, current := c.AppRoot, filepath.Join(t.TempDir(), "current")
	next := preloaded(t, "").AppRoot
	c.AppRoot = current
	deploy := func(release string) {
		_ = os.Remove(current)
		if err := os.Symlink(release, current); err != nil {
			t.Fatal(err)
		}
	}
	deploy(old)
	for i, step := range []struct {
		generation int
		deploy     string
		method     string
		want       string
	}{
		{1, "", "smart", old}, {1, next, "smart", old}, {1, "", "direct", old}, {2, "", "smart", next}, {1, "", "direct", old},
	} {
		if step.deploy != "" {
			deploy(step.deploy)
		}
		c.SpawnMethod = step.method
		r, err := spawnID(t, s, fmt.Sprintf("gen%d", i), c, step.generation)
		if err != nil || r.AppRoot != step.want || ask(t, r).Dir != step.want {
			t.Errorf("step %d: got app root %q, %v, want %q", i, r.AppRoot, err, step.want)
		}
	}
	adopter, err := New(s.dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := spawnID(t, adopter, "adop", c, 1); err != nil || r.AppRoot != old {
		t.Errorf("after adoption: got app root %q, %v, want %q", r.AppRoot, err, old)
	}
	adopter.KillAll("end of the test")
}

func TestPreloaderOfAnOldGenerationGoes(t *testing.T) {
	t.Parallel()
	s, _ := newSpawner(t, shortDir(t))
	c := preloaded(t, "")
	for id, generation := range map[string]int{"aaaa": 1, "bbbb": 2} {
		if _, err := spawnID(t, s, id, c, generation); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(s.Preloaders()); n != 2 {
		t.Errorf("got %d preloaders while both generations run, want 2", n)
	}
	if _, err := s.Stop("aaaa", protocol.StopRequest{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "one preloader", func() bool { l := s.Preloaders(); return len(l) == 1 && l[0].Generation == 2 })
}

func TestPreloadersOfADeadSpawnerGo(t *testing.T) {
	t.Parallel()
	s, _ := newSpawner(t, shortDir(t))
	if _, err := spawnID(t, s, "aaaa", preloaded(t, ""), 1); err != nil {
		t.Fatal(err)
	}
	l := s.preloaders[0].Snapshot()
	id := proc.Identity{PID: l.PID, StartTime: l.StartTime, BootID: l.BootID}
	h, err := proc.Open(id) // stopped, it cannot see the end of its control socket
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if err := h.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if _, err := New(s.dir, Options{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the preloader's end", func() bool { return !id.Alive() })
}

// eventually waits until done, which has no event of its own to wait for.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(time.Minute)
	for !done() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("gave up waiting for %s", what)
		}
	}
}
