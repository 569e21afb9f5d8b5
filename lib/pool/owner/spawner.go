package owner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"passenger/lib/bug"
	"passenger/lib/control"
	"passenger/lib/pool"
	"passenger/lib/protocol"
)

// A Spawner starts and stops processes. Errors are those of [control.Client].
type Spawner interface {
	// Watch calls got with the list of processes, and again whenever it
	// changed, with the changes if the list has a Base, until the spawner is
	// gone or ctx ends.
	Watch(ctx context.Context, got func(protocol.ProcessList) error) error

	List(ctx context.Context) (protocol.ProcessList, error)

	// Usage is List with what each process costs.
	Usage(ctx context.Context) (protocol.ProcessList, error)

	// Host is what processes can have.
	Host(ctx context.Context) (protocol.Host, error)

	Spawn(ctx context.Context, r protocol.SpawnRequest) (protocol.Process, error)
	Stop(ctx context.Context, id string, r protocol.StopRequest) error

	Preloaders(ctx context.Context) (protocol.PreloaderList, error)
	StopPreloader(ctx context.Context, id string) error

	// Promote has a process fork a preloader of its generation.
	Promote(ctx context.Context, id string) error
}

// Remote is the spawner behind a control socket.
type Remote struct {
	Client *control.Client

	// switches says that the spawner reads the apps' settings itself.
	switches *atomic.Bool
}

// NewRemote returns the spawner behind the client's socket.
func NewRemote(c *control.Client) Remote { return Remote{Client: c, switches: new(atomic.Bool)} }

func (r Remote) Watch(ctx context.Context, got func(protocol.ProcessList) error) error {
	var info protocol.Info
	if err := r.Client.Call(ctx, "GET", protocol.PathInfo, nil, &info); err != nil {
		return err
	}
	r.switches.Store(info.SwitchesUsers)
	var last uint64 // version of the list before
	return control.Watch(ctx, r.Client, protocol.PathProcesses+"?changes=1", func(list protocol.ProcessList) error {
		if list.Base != 0 && list.Base != last {
			return fmt.Errorf("the spawner tells changes since version %d of its list after version %d", list.Base, last)
		}
		last = list.Version
		return got(list)
	})
}

func (r Remote) List(ctx context.Context) (list protocol.ProcessList, err error) {
	err = r.Client.Call(ctx, "GET", protocol.PathProcesses, nil, &list)
	return list, err
}

func (r Remote) Usage(ctx context.Context) (list protocol.ProcessList, err error) {
	err = r.Client.Call(ctx, "GET", protocol.PathProcesses+"?usage=1", nil, &list)
	return list, err
}

func (r Remote) Host(ctx context.Context) (h protocol.Host, err error) {
	err = r.Client.Call(ctx, "GET", protocol.PathHost, nil, &h)
	return h, err
}

func (r Remote) Spawn(ctx context.Context, req protocol.SpawnRequest) (p protocol.Process, err error) {
	if r.switches.Load() {
		req.Config = nil
	}
	err = r.Client.Call(ctx, "POST", protocol.PathProcesses, req, &p)
	return p, err
}

func (r Remote) Stop(ctx context.Context, id string, req protocol.StopRequest) error {
	return r.Client.Call(ctx, "DELETE", protocol.PathProcesses+"/"+id, req, nil)
}

func (r Remote) Preloaders(ctx context.Context) (list protocol.PreloaderList, err error) {
	err = r.Client.Call(ctx, "GET", protocol.PathPreloaders, nil, &list)
	return list, err
}

func (r Remote) StopPreloader(ctx context.Context, id string) error {
	return r.Client.Call(ctx, "DELETE", protocol.PathPreloaders+"/"+id, nil, nil)
}

func (r Remote) Promote(ctx context.Context, id string) error {
	return r.Client.Call(ctx, "POST", protocol.PathPreloaders, protocol.PromoteRequest{Process: id}, nil)
}

const (
	// answerTime is how much longer than the app may take the spawner may.
	answerTime = 30 * time.Second

	// longestStop is the longest grace that settings allow, a day.
	longestStop = 24 * time.Hour

	firstPause   = 20 * time.Millisecond
	longestPause = time.Second // between attempts to reach the spawner
)

// follow tells the pool what the spawner lists.
func (o *Owner) follow(ctx context.Context) {
	f := control.Following{Down: "spawner is down; what runs goes on", Back: "spawner is back", Pause: firstPause}
	f.Lost = func() { o.tell(ctx, func(time.Time) { o.pool.SpawnerLost() }) }
	f.Follow(ctx, func(heard func()) error {
		return o.spawner.Watch(ctx, func(list protocol.ProcessList) error {
			heard()
			o.tell(ctx, func(now time.Time) { o.pool.Listed(now, list) })
			return nil
		})
	})
}

func rest(ctx context.Context, pause time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
}

// spawn starts a process and tells the pool what came of it. If the pool stops
// meanwhile the start goes on; its successor finds the process in the list.
func (o *Owner) spawn(ctx context.Context, r protocol.SpawnRequest) {
	limit := answerTime + time.Duration(r.Config.StartTimeout*float64(time.Second))
	call, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the spawner gave no answer within %v", limit))
	outcome := pool.Spawned{ID: r.ID}
	defer func() { o.tell(ctx, func(now time.Time) { o.pool.Spawned(now, outcome) }) }()
	defer bug.Caught(nil)
	process, err := o.spawner.Spawn(call, r)
	cancel()
	var answer *protocol.Error
	switch {
	case err == nil:
		outcome.Process = &process
	case errors.As(err, &answer):
		outcome.Err = reason(answer, r)
	case errors.Is(err, control.ErrDown):
	default:
		slog.Debug("spawn was cut off", "app", r.App, "id", r.ID, "err", err)
		outcome = o.findOut(ctx, r)
		outcome.ID = r.ID
	}
}

// reason is why the app could not be started, nil if that was no fault of the
// app's.
func reason(e *protocol.Error, r protocol.SpawnRequest) *protocol.SpawnError {
	if e.Code == protocol.CodeStopping || e.Code == protocol.CodeNotReady {
		return nil
	}
	if e.Details != nil {
		return e.Details
	}
	return &protocol.SpawnError{
		Category: protocol.CategoryConfig, Summary: e.Message, Advice: e.Hint,
		App: r.App, ProcessID: r.ID, Generation: r.Generation, At: time.Now(),
		Phases: []protocol.Phase{}, Output: []string{}, AppRoot: r.Config.AppRoot,
	}
}

// findOut asks the spawner, or the one that comes after it, what became of a
// spawn that it did not answer.
func (o *Owner) findOut(ctx context.Context, r protocol.SpawnRequest) pool.Spawned {
	pause := firstPause
	deadline := time.Now().Add(answerTime + time.Duration(r.Config.StartTimeout*float64(time.Second)))
	for ctx.Err() == nil {
		call, cancel := context.WithTimeout(ctx, answerTime)
		list, err := o.spawner.List(call)
		cancel()
		if err == nil {
			i := slices.IndexFunc(list.Processes, func(p protocol.Process) bool { return p.ID == r.ID })
			if i < 0 {
				return pool.Spawned{}
			}
			p := list.Processes[i]
			switch {
			case p.State == protocol.Exited && p.Exit != nil && p.Exit.Orphaned:
				return pool.Spawned{}
			case p.State == protocol.Exited:
				return pool.Spawned{Err: ended(p)}
			case p.State != protocol.Starting:
				return pool.Spawned{Process: &p}
			case time.Now().After(deadline):
				return pool.Spawned{Process: &p} // it still starts; from now on the list tells
			}
		}
		rest(ctx, pause)
		pause = min(2*pause, longestPause)
	}
	return pool.Spawned{}
}

func ended(p protocol.Process) *protocol.SpawnError {
	cause := "its exit status is not known"
	if p.Exit != nil {
		cause = p.Exit.Cause
	}
	return &protocol.SpawnError{
		Category: protocol.CategoryExit, Summary: "ended before it was ready: " + cause,
		App: p.App, ProcessID: p.ID, Generation: p.Generation, At: time.Now(),
		Phases: []protocol.Phase{}, Output: []string{}, Exit: p.Exit,
		Command: p.Command, AppRoot: p.AppRoot, User: p.User,
	}
}

// stop stops a process and tells the pool when it is gone, or that the spawner
// gave no answer.
func (o *Owner) stop(ctx context.Context, s pool.Stop) {
	call, cancel := context.WithTimeout(ctx, longestStop+answerTime)
	gone := false
	defer func() { o.tell(ctx, func(now time.Time) { o.pool.Stopped(now, s.ID, gone) }) }()
	defer bug.Caught(nil)
	err := o.spawner.Stop(call, s.ID, s.StopRequest)
	cancel()
	var answer *protocol.Error
	gone = err == nil || errors.As(err, &answer) && answer.Code == protocol.CodeUnknownProcess
	if !gone {
		slog.Debug("process not stopped", "id", s.ID, "err", err)
	}
}
