package status

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"passenger/lib/control"
	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/statedir"
)

// patience is how long each part may take for its answers, unless the caller
// says otherwise. With it a status takes less than a second, whatever hangs.
const patience = 900 * time.Millisecond

// A Snapshot is what the parts and the state directory said at one moment. An
// answer is nil if its part gave none.
type Snapshot struct {
	At       time.Time
	StateDir string
	Parts    []Part

	Processes  *protocol.ProcessList   // the spawner's
	Preloaders *protocol.PreloaderList // the spawner's
	Apps       *protocol.AppList       // the pool's
	Proxy      *protocol.ProxyApps     // the proxy's

	// Routes and Records are read from the state directory. Records are those
	// of living processes, with their usage; they are read only if the spawner
	// gave no answer.
	Routes  protocol.Routes
	Records []protocol.Process
}

// A Caller asks in the name of a program.
type Caller struct {
	Program, Release string
	Patience         time.Duration // how long a part may take for its answers; 0 for the constant
}

// Bound ends a question when the caller's patience does.
func (c Caller) Bound(ctx context.Context) (context.Context, context.CancelFunc) {
	patience := cmp.Or(c.Patience, patience)
	return context.WithTimeoutCause(ctx, patience, fmt.Errorf("no answer within %v", patience))
}

// Gather asks all parts at once and reads the state directory. A part that
// does not answer is no error: the snapshot says so. An error means that the
// directory cannot be read at all; a missing one is fs.ErrNotExist.
func (c Caller) Gather(ctx context.Context, dir statedir.Dir) (Snapshot, error) {
	if _, err := os.ReadDir(dir.Path()); err != nil {
		return Snapshot{}, fmt.Errorf("state directory: %w", err)
	}
	s := Snapshot{At: time.Now(), StateDir: dir.Path(), Parts: make([]Part, 3)}
	var wg sync.WaitGroup
	wg.Go(func() {
		s.Parts[0], s.Processes = ask[protocol.ProcessList](ctx, c, dir, statedir.Spawn, protocol.PathProcesses+"?usage=1")
	})
	wg.Go(func() { s.Preloaders = preloaders(ctx, c, dir) })
	wg.Go(func() { s.Parts[1], s.Apps = ask[protocol.AppList](ctx, c, dir, statedir.Pool, protocol.PathApps) })
	wg.Go(func() { s.Parts[2], s.Proxy = ask[protocol.ProxyApps](ctx, c, dir, statedir.Proxy, protocol.PathApps) })
	wg.Wait()
	// A missing or unreadable table leaves the zero one: there is nothing to
	// show from it then.
	_ = statedir.ReadJSON(dir.Routes(), &s.Routes)
	if s.Processes == nil {
		s.Records = records(dir)
	}
	return s, nil
}

// preloaders asks the spawner for its preloaders, nil if it gives no answer:
// that is told where its processes are asked for.
func preloaders(ctx context.Context, c Caller, dir statedir.Dir) *protocol.PreloaderList {
	ctx, cancel := c.Bound(ctx)
	defer cancel()
	var list protocol.PreloaderList
	client := control.NewClient(dir.Socket(statedir.Spawn), c.Program, c.Release)
	if client.Call(ctx, "GET", protocol.PathPreloaders+"?usage=1", nil, &list) != nil {
		return nil
	}
	return &list
}

// ask calls a part for its Info and for the reply at path.
func ask[T any](ctx context.Context, c Caller, dir statedir.Dir, daemon, path string) (Part, *T) {
	ctx, cancel := c.Bound(ctx)
	defer cancel()
	client := control.NewClient(dir.Socket(daemon), c.Program, c.Release)
	var info protocol.Info
	var infoErr, err error
	var wg sync.WaitGroup
	wg.Go(func() { infoErr = client.Call(ctx, "GET", protocol.PathInfo+"?usage=1", nil, &info) })
	reply := new(T)
	err = client.Call(ctx, "GET", path, nil, reply)
	wg.Wait()
	if ctx.Err() != nil && (err != nil || infoErr != nil) {
		err = context.Cause(ctx)
	}
	if err = errors.Join(err); err == nil {
		err = infoErr
	}
	if err != nil {
		return unanswered(dir, daemon, err), nil
	}
	return Part{
		Name: daemon, State: Up, PID: info.PID, Release: info.Version,
		Uptime: info.Uptime, Listen: info.Listen, Usage: info.Usage, SwitchesUsers: info.SwitchesUsers,
	}, reply
}

// unanswered tells a part that hangs from one that is not there by its lock.
func unanswered(dir statedir.Dir, daemon string, err error) Part {
	p := Part{Name: daemon, State: Silent, PID: dir.Holder(daemon), Error: err.Error()}
	var refused *protocol.Error
	p.denied = errors.Is(err, fs.ErrPermission) || errors.As(err, &refused) && refused.Code == protocol.CodeNotAllowed
	if p.PID > 0 {
		usage := proc.UsageOfOne(p.PID)
		p.Usage = &usage
	}
	if errors.Is(err, control.ErrDown) {
		p.Error = "it does not listen on its socket"
		if p.PID == 0 {
			p.State, p.Error = Down, "it does not run"
		}
	}
	return p
}

// records returns the records of the processes that are alive.
func records(dir statedir.Dir) []protocol.Process {
	entries, err := os.ReadDir(dir.Processes())
	if err != nil {
		return nil // no directory, no processes
	}
	var found []protocol.Process
	var groups []int
	for _, e := range entries {
		var p protocol.Process
		if statedir.ReadJSON(dir.Process(e.Name()).Record(), &p) != nil || p.PID <= 0 || p.ID != e.Name() {
			continue // not started yet, or being removed
		}
		id := proc.Identity{PID: p.PID, StartTime: p.StartTime, BootID: p.BootID}
		if !id.Alive() {
			continue
		}
		found = append(found, p)
		groups = append(groups, p.PID) // it leads its group
	}
	usages := new(proc.Meter).Read(groups)
	for i, p := range found {
		if usage, ok := usages[p.PID]; ok {
			found[i].Usage = &usage
		}
	}
	return found
}
