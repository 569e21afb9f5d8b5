package spawn

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"passenger/lib/account"
	"passenger/lib/adapter"
	"passenger/lib/bug"
	"passenger/lib/control"
	"passenger/lib/output"
	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/security"
	"passenger/lib/spawn/children"
	"passenger/lib/spawn/notify"
	"passenger/lib/spawn/plan"
	"passenger/lib/spawn/port"
	"passenger/lib/spawn/process"
	"passenger/lib/spawn/survey"
	"passenger/lib/spawn/switching"
	"passenger/lib/statedir"
)

// Options are the choices for a spawner. The zero value runs every app as our own
// user.
type Options struct {
	// Log takes what the processes write; nil drops it.
	Log output.Sink

	// Switching runs each app as a user of its own; nil runs all as the spawner's.
	Switching *switching.Rules

	// WatchReleases has a manifest of each release taken, and those told of whose
	// files change under their generation.
	WatchReleases bool

	// Group may connect to the processes' sockets, nil for none but root and
	// us: the proxy's group.
	Group *account.Group
}

// A Spawner starts application processes and knows what becomes of them.
type Spawner struct {
	Options

	dir       statedir.Dir
	adapters  adapter.Set
	children  children.Table
	cgroups   process.Cgroups
	feed      control.Feed[protocol.ProcessList]
	outputs   outputs
	meter     proc.Meter
	kin       process.Kin
	ports     port.Book
	origins   origins
	tally     tally
	manifests manifests
	asRoot    rootWarnings

	forkTimeout time.Duration

	mu          sync.Mutex // guards the fields below
	version     uint64
	processes   []*process.Process // in order of start
	preloaders  []*preloader       // in order of start
	generations []*generation
	held        bool // no new starts
}

// New makes the spawner of a state directory. The caller holds that
// directory's lock, and is a child subreaper, so that forked processes fall to
// it. It adopts the processes that run there, and removes what dead ones left.
func New(dir statedir.Dir, o Options) (*Spawner, error) {
	adapters, err := adapter.Install(dir.Path())
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = output.NewLog(io.Discard, output.Text)
	}
	s := &Spawner{Options: o, dir: dir, adapters: adapters, forkTimeout: forkTimeout}
	s.kin.Children = &s.children
	s.outputs = outputs{log: o.Log, switching: o.Switching, children: &s.children}
	s.manifests = manifests{watched: o.WatchReleases, dir: dir, switching: o.Switching, children: &s.children, publish: s.publish}
	if err := clearPreloaders(dir); err != nil {
		return nil, err
	}
	if err := s.adoptAll(); err != nil {
		return nil, err
	}
	if err := clearNotifySockets(dir, s.processes); err != nil {
		return nil, err
	}
	s.manifests.clear(s.generations)
	s.publish()
	return s, nil
}

// Spawn starts one process and returns its record once it is ready. The error
// is a *protocol.Error if the request makes no sense, else a
// *protocol.SpawnError, and nothing is left of the process then. When ctx ends
// the process is killed.
func (s *Spawner) Spawn(ctx context.Context, req protocol.SpawnRequest) (protocol.Process, error) {
	if err := s.checkRequest(&req); err != nil {
		tellRefused(req.App, err)
		return protocol.Process{}, err
	}
	g, leave := s.generationOf(req.App, req.Generation)
	if g == nil {
		return protocol.Process{}, errHeld
	}
	defer leave()
	began := time.Now()
	r, err := s.spawn(ctx, req, g, false)
	if errors.Is(err, survey.ErrChanged) {
		r, err = s.spawn(ctx, req, g, true)
	}
	s.tally.started(req.App, began, err)
	return r, err
}

// spawn makes one attempt. Afresh it is planned by what lies in the app's
// directory now, else the error may be
// [survey.ErrChanged].
func (s *Spawner) spawn(ctx context.Context, req protocol.SpawnRequest, g *generation, afresh bool) (protocol.Process, error) {
	a := &attempt{s: s, req: req, gen: g, noticed: make(chan notify.Notice, 4)}
	began := time.Now()
	var err error
	a.plan, err = plan.Planner{Adapters: s.adapters, Switching: s.Switching, ProcessType: req.ProcessType}.For(ctx, *req.Config, func(ctx context.Context, c protocol.AppConfig) (survey.Findings, *survey.Expectation, error) {
		return g.look(ctx, s, survey.Question{Config: c, ProcessType: req.ProcessType}, afresh)
	})
	if err != nil {
		a.phases = []protocol.Phase{{Name: protocol.PhasePrepare, Took: time.Since(began).Seconds(), Failed: true}}
		return protocol.Process{}, a.explain(err)
	}
	if s.Switching == nil {
		s.asRoot.warn(a.plan)
	}
	loads := !g.loaded()
	if err := s.register(a); err != nil {
		return protocol.Process{}, err
	}
	defer func() { s.decided(a) }()
	err = a.run(ctx)
	if err != nil && a.portLost(err) {
		slog.Warn("start tried again: its port was taken", "app", req.App, "port", a.port)
		var next *attempt
		if next, err = a.again(); err != nil {
			return protocol.Process{}, err
		}
		a = next
		err = a.run(ctx)
	}
	if err != nil {
		return protocol.Process{}, err
	}
	a.p.ShowStart()
	r := a.p.Snapshot()
	slog.Info("process ready", process.Attrs(r, "took", seconds(r.SpawnTook).Round(time.Millisecond))...)
	if s.WatchReleases && loads && req.ProcessType == "" {
		bug.Go(func() { s.manifests.inspect(g, a.p, *req.Config) })
	}
	return r, nil
}

// tellRefused tells of a request for what the pool may not have, and of settings
// that others than root could have written.
func tellRefused(app string, err error) {
	var refused *protocol.Error
	if errors.As(err, &refused) && refused.Code == protocol.CodeNotAllowed {
		slog.Error("settings refused", security.SettingsRefused.Attr(), "app", app, "err", refused.Message)
	}
}

// wait sees the process end, and publishes that.
func (s *Spawner) wait(p *process.Process) {
	p.Wait(func() { // a caller that waits for the end then finds it in the list
		s.origins.drop(p)
		s.children.Forget(p.PID())
		s.tally.ended(p.Snapshot())
		s.publish()
	})
	s.retire()
	time.AfterFunc(exitShown, func() {
		defer bug.Caught(nil)
		s.publish()
	})
}

// Ours says whether a child of this program is one that the spawner waits for.
func (s *Spawner) Ours(pid int) bool { return s.children.Ours(pid) }
