package owner

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"passenger/lib/control"
	"passenger/lib/pool"
	"passenger/lib/protocol"
	"passenger/lib/statedir"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	os.Exit(m.Run())
}

// A fakeSpawner has processes that exist on paper only. Each takes startTime to
// get ready.
type fakeSpawner struct {
	starting sync.WaitGroup

	mu                  sync.Mutex // guards all below
	startTime, stopTime time.Duration
	list                protocol.ProcessList
	watch               control.Feed[protocol.ProcessList]
	down                bool
	crash               chan struct{}                                      // closed when it goes down
	refuse              func(r protocol.SpawnRequest) *protocol.SpawnError // nil to have all succeed
	asked               []protocol.SpawnRequest
	cleared             []string // preloaders that were stopped

	host protocol.Host // set before a start

	root string // of the apps, if processes have one; it may be a symlink. Set it before a start
}

func newFakeSpawner() *fakeSpawner {
	return &fakeSpawner{startTime: time.Second, stopTime: 100 * time.Millisecond, crash: make(chan struct{})}
}

// change changes the list and tells it.
func (f *fakeSpawner) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list.Processes = slices.Clone(f.list.Processes) // who watches has the other
	do()
	f.list.Version++
	f.watch.Set(f.list)
}

func (f *fakeSpawner) find(id string) *protocol.Process {
	for i := range f.list.Processes {
		if f.list.Processes[i].ID == id {
			return &f.list.Processes[i]
		}
	}
	return nil
}

func (f *fakeSpawner) up() (<-chan struct{}, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return nil, control.ErrDown
	}
	return f.crash, nil
}

// kill ends the spawner, not its processes; revive starts it again.
func (f *fakeSpawner) kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = true
	close(f.crash)
}

func (f *fakeSpawner) revive() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down, f.crash = false, make(chan struct{})
}

func (f *fakeSpawner) Watch(ctx context.Context, got func(protocol.ProcessList) error) error {
	crash, err := f.up()
	if err != nil {
		return err
	}
	for {
		list, changed := f.watch.Wait()
		if err := got(list); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-crash:
			return io.EOF
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *fakeSpawner) List(context.Context) (protocol.ProcessList, error) {
	if _, err := f.up(); err != nil {
		return protocol.ProcessList{}, err
	}
	return f.watch.Get(), nil
}

func (f *fakeSpawner) Usage(ctx context.Context) (protocol.ProcessList, error) { return f.List(ctx) }

func (f *fakeSpawner) Host(context.Context) (protocol.Host, error) {
	if _, err := f.up(); err != nil {
		return protocol.Host{}, err
	}
	return f.host, nil
}

func (f *fakeSpawner) Preloaders(context.Context) (protocol.PreloaderList, error) {
	return protocol.PreloaderList{Preloaders: []protocol.Preloader{
		{ID: "l001", App: "shop", Generation: 1}, {ID: "l002", App: "shop", Generation: 2}, {ID: "l003", App: "blog", Generation: 1},
	}}, nil
}

func (f *fakeSpawner) StopPreloader(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cleared = append(f.cleared, id)
	return nil
}

func (f *fakeSpawner) Promote(context.Context, string) error { return nil }

func (f *fakeSpawner) Spawn(ctx context.Context, r protocol.SpawnRequest) (protocol.Process, error) {
	crash, err := f.up()
	if err != nil {
		return protocol.Process{}, err
	}
	p := protocol.Process{ID: r.ID, App: r.App, Generation: r.Generation, State: protocol.Starting, StartedAt: time.Now()}
	if f.root != "" {
		if p.AppRoot, err = filepath.EvalSymlinks(f.root); err != nil {
			return protocol.Process{}, err
		}
	}
	var refuse func(protocol.SpawnRequest) *protocol.SpawnError
	var took time.Duration
	f.change(func() {
		took = f.startTime
		f.asked = append(f.asked, r)
		f.list.Processes = append(f.list.Processes, p)
		refuse = f.refuse
	})
	// It goes on when the caller or the spawner disappears.
	done := make(chan error, 1)
	f.starting.Go(func() {
		time.Sleep(took)
		var failed error
		f.change(func() {
			q := f.find(r.ID)
			if q == nil || q.State != protocol.Starting {
				failed = &protocol.Error{Code: protocol.CodeSpawnFailed, Details: &protocol.SpawnError{Summary: "stopped"}}
				return
			}
			if refuse != nil {
				if e := refuse(r); e != nil {
					failed = &protocol.Error{Code: protocol.CodeSpawnFailed, Message: e.Summary, Details: e}
					q.State, q.Exit = protocol.Exited, &protocol.Exit{Cause: "exited with status 1", Status: 1}
					return
				}
			}
			q.State, q.PID, q.Address, q.Concurrency = protocol.Ready, 4000+len(f.list.Processes), "unix:/"+q.ID, 1
			p = *q
		})
		done <- failed
	})
	select {
	case err := <-done:
		return p, err
	case <-crash:
		return protocol.Process{}, io.ErrUnexpectedEOF
	case <-ctx.Done():
		return protocol.Process{}, ctx.Err()
	}
}

func (f *fakeSpawner) Stop(ctx context.Context, id string, _ protocol.StopRequest) error {
	crash, err := f.up()
	if err != nil {
		return err
	}
	known := false
	f.change(func() {
		if p := f.find(id); p != nil && p.State != protocol.Exited {
			p.State, known = protocol.Stopping, true
		}
	})
	if !known {
		return &protocol.Error{Code: protocol.CodeUnknownProcess, Message: "unknown process"}
	}
	select {
	case <-time.After(f.stopTime):
	case <-crash:
		return io.EOF
	case <-ctx.Done():
		return ctx.Err()
	}
	f.exit(id, "stopped by us")
	return nil
}

func (f *fakeSpawner) exit(id, cause string) {
	f.change(func() {
		if p := f.find(id); p != nil {
			p.State, p.Exit = protocol.Exited, &protocol.Exit{At: time.Now(), Cause: cause}
		}
	})
}

// living counts the processes of an app that are not gone.
func (f *fakeSpawner) living(app string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, p := range f.list.Processes {
		if p.App == app && p.State != protocol.Exited {
			n++
		}
	}
	return n
}

// A site is a state directory, apps, and a pool that runs on them.
type site struct {
	t       *testing.T
	spawner *fakeSpawner
	files   Files
	limits  pool.Limits
	owner   *Owner
	stop    func()
}

func newSite(t *testing.T, apps ...string) *site {
	t.Helper()
	root := t.TempDir()
	s := &site{t: t, spawner: newFakeSpawner(), limits: pool.Limits{Processes: 6, Starting: 6}}
	t.Cleanup(s.spawner.starting.Wait)
	s.files = Files{Routes: filepath.Join(root, "routes.json"), Added: filepath.Join(root, "added"), Fixed: filepath.Join(root, "fixed")}
	for _, dir := range []string{s.files.Added, s.files.Fixed} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range apps {
		s.files.Named = append(s.files.Named, s.app(name, nil))
	}
	return s
}

// app makes the directory of an app, mounted at its name.
func (s *site) app(name string, settings map[string]any) string {
	s.t.Helper()
	dir := filepath.Join(filepath.Dir(s.files.Routes), name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		s.t.Fatal(err)
	}
	if settings == nil {
		settings = map[string]any{}
	}
	if settings["base_uri"] == nil {
		settings["base_uri"] = "/" + name
	}
	s.write(filepath.Join(dir, "Passengerfile.json"), settings)
	return dir
}

func (s *site) write(path string, v any) {
	s.t.Helper()
	b, err := json.Marshal(v)
	if err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// start runs a pool. Its end is that of kill -9, but for the last write.
func (s *site) start(ctx context.Context) {
	s.t.Helper()
	o, err := New(s.spawner, s.files, s.limits, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		o.Run(ctx)
		close(done)
	}()
	s.owner = o
	s.stop = func() {
		cancel()
		<-done
	}
}

// view is what the pool says of an app.
func (s *site) view(name string) protocol.App {
	s.t.Helper()
	a, err := s.owner.App(s.t.Context(), name)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func (s *site) ready(name string) int {
	n := 0
	for _, p := range s.view(name).Processes {
		if p.State == protocol.Ready {
			n++
		}
	}
	return n
}

func (s *site) table() protocol.Routes {
	s.t.Helper()
	var r protocol.Routes
	if err := statedir.ReadJSON(s.files.Routes, &r); err != nil {
		s.t.Fatal(err)
	}
	return r
}

// starts are all spawns that were ever asked for.
func (f *fakeSpawner) starts() []protocol.SpawnRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked)
}
