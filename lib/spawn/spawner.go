package spawn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"passenger/lib/account"
	"passenger/lib/adapter"
	"passenger/lib/app"
	"passenger/lib/bug"
	"passenger/lib/control"
	"passenger/lib/output"
	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/spawn/notify"
	"passenger/lib/spawn/port"
	"passenger/lib/spawn/survey"
	"passenger/lib/spawn/switching"
	"passenger/lib/statedir"
)

// keepExited is how long the list shows a process that is gone.
const keepExited = 2 * time.Minute

// mostExited is how many of them it shows of one app, the newest, of which only
// the last one started says what it wrote: an app that dies again and again is
// not to make the list long for everybody.
const mostExited = 50

// Options are what a spawner may be told. The zero value runs every app as our
// own user.
type Options struct {
	// Log takes what the processes write. Nil drops it.
	Log output.Sink

	// Switching runs each app as a user of its own; nil does not.
	Switching *switching.Rules

	// Group may connect to the processes' sockets, nil for none but root and
	// us: the proxy's group.
	Group *account.Group
}

// A Spawner starts application processes and knows what becomes of them.
type Spawner struct {
	Options

	dir      statedir.Dir
	adapters adapter.Set
	children children
	cgroups  cgroups
	feed     control.Feed[protocol.ProcessList]
	logFiles output.Files
	meter    proc.Meter
	kin      kin
	ports    port.Book

	forkTimeout time.Duration

	mu          sync.Mutex // guards the fields below
	version     uint64
	processes   []*process   // in order of start
	preloaders  []*preloader // in order of start
	generations []*generation
	origins     map[*process]*origin // by what processes can be promoted
	held        bool                 // no new starts
	asRoot      map[string]bool      // apps that the log has said of that they run as root
}

// New makes the spawner of a state directory. The caller holds that
// directory's lock, and is a child subreaper, so that forked processes fall to
// it. It adopts the processes that run there, and clears away
// what dead ones left.
func New(dir statedir.Dir, o Options) (*Spawner, error) {
	adapters, err := adapter.Install(dir.Path())
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = output.NewLog(io.Discard, output.Text)
	}
	s := &Spawner{Options: o, dir: dir, adapters: adapters, forkTimeout: forkTimeout}
	s.kin.children = &s.children
	if err := s.clearPreloaders(); err != nil {
		return nil, err
	}
	if err := s.adoptAll(); err != nil {
		return nil, err
	}
	if err := s.clearNotifySockets(); err != nil {
		return nil, err
	}
	s.publish()
	return s, nil
}

// Processes is the list of processes, to be watched.
func (s *Spawner) Processes() *control.Feed[protocol.ProcessList] { return &s.feed }

// Spawn starts one process and returns its record once it is ready. The error
// is a *protocol.Error if the request makes no sense, else a
// *protocol.SpawnError, and nothing is left of the process then. When ctx ends
// the process is killed.
func (s *Spawner) Spawn(ctx context.Context, req protocol.SpawnRequest) (protocol.Process, error) {
	if err := s.checkRequest(&req); err != nil {
		return protocol.Process{}, err
	}
	g, leave := s.generationOf(req.App, req.Generation)
	if g == nil {
		return protocol.Process{}, errHeld
	}
	defer leave()
	r, err := s.spawn(ctx, req, g, false)
	if errors.Is(err, survey.ErrChanged) {
		r, err = s.spawn(ctx, req, g, true)
	}
	return r, err
}

// spawn makes one attempt. Afresh it is planned by what lies in the app's
// directory now, else the error may be errChanged.
func (s *Spawner) spawn(ctx context.Context, req protocol.SpawnRequest, g *generation, afresh bool) (protocol.Process, error) {
	a := &attempt{s: s, req: req, gen: g, noticed: make(chan notify.Notice, 4)}
	began := time.Now()
	var err error
	a.plan, err = s.planFor(ctx, *req.Config, func(ctx context.Context, c protocol.AppConfig) (survey.Findings, *survey.Expectation, error) {
		return g.look(ctx, s, c, afresh)
	})
	if err != nil {
		a.phases = []protocol.Phase{{Name: protocol.PhasePrepare, Took: time.Since(began).Seconds(), Failed: true}}
		return protocol.Process{}, a.explain(err)
	}
	s.warnOfRoot(a.plan)
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
	a.p.showStart()
	r := a.p.snapshot()
	slog.Info("process ready", "app", r.App, "pid", r.PID, "generation", r.Generation, "took", seconds(r.SpawnTook).Round(time.Millisecond))
	return r, nil
}

// warnOfRoot says, once for each app, that it runs as root though another user
// can change what it runs.
func (s *Spawner) warnOfRoot(p *plan) {
	if p.user.UID != 0 || p.owner == 0 || s.Switching != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asRoot[p.config.Name] {
		return
	}
	if s.asRoot == nil {
		s.asRoot = map[string]bool{}
	}
	s.asRoot[p.config.Name] = true
	slog.Warn("app runs as root, and another user owns it: who can change its files is root", "app", p.config.Name, "user", p.user.Name, "owner", account.NameOf(p.owner),
		"hint", "\"passenger start --user-switching\" runs the app as its owner, and pool and proxy as the user of --run-as; passenger-spawn(1), USERS")
}

// checkRequest says what is wrong with a request, and completes it with the
// settings if those are for this spawner to read.
func (s *Spawner) checkRequest(req *protocol.SpawnRequest) error {
	if len(req.ID) < 4 || len(req.ID) > 16 || strings.Trim(req.ID, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return &protocol.Error{Code: protocol.CodeBadRequest, Message: fmt.Sprintf("%q is no process ID: 4 to 16 characters of a-z and 0-9", req.ID)}
	}
	if req.App == "" || req.Generation < 0 {
		return &protocol.Error{Code: protocol.CodeBadRequest, Message: "the request names no app, or a negative generation"}
	}
	if s.Switching == nil {
		if req.Config == nil {
			return &protocol.Error{Code: protocol.CodeBadRequest, Message: "the request has no config"}
		}
		return nil
	}
	if req.Config != nil {
		return &protocol.Error{
			Code:    protocol.CodeNotAllowed,
			Message: "the request has a config, and this spawner runs apps as other users only by settings that it reads itself",
			Hint:    "put the settings into " + s.Switching.AppsDir,
		}
	}
	if err := app.CheckName(req.App); err != nil {
		return &protocol.Error{Code: protocol.CodeBadRequest, Message: err.Error()}
	}
	c, err := s.Switching.Config(req.App)
	if err != nil {
		return &protocol.Error{Code: protocol.CodeNotAllowed, Message: err.Error(), Hint: "Passengerfile(5) describes the settings"}
	}
	req.Config = &c
	return nil
}

// register takes the ID and makes the process's directory.
func (s *Spawner) register(a *attempt) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.processes {
		if p.snapshot().ID == a.req.ID {
			return &protocol.Error{Code: protocol.CodeConflict, Message: fmt.Sprintf("process ID %q is in use", a.req.ID)}
		}
	}
	dir := s.dir.Process(a.req.ID)
	if err := s.makeDirectory(dir); err != nil {
		return err
	}
	a.p = a.newProcess(dir)
	s.processes = append(s.processes, a.p)
	return nil
}

func (a *attempt) newProcess(dir statedir.ProcessDir) *process {
	return &process{dir: dir, exited: make(chan struct{}), record: a.newRecord(), published: a.s.publish, kin: &a.s.kin}
}

// decided tells that an attempt is over: an end of its process is one for good.
func (s *Spawner) decided(a *attempt) {
	if a.p.decide() {
		s.publish()
	}
}

// newRecord is the record of the process that is to be.
func (a *attempt) newRecord() protocol.Process {
	return protocol.Process{
		Version: protocol.Version, ID: a.req.ID, App: a.req.App, Generation: a.req.Generation,
		State: protocol.Starting, DataProtocol: a.plan.protocol, Concurrency: a.plan.concurrency, Type: a.plan.kind,
		AppRoot: a.plan.root, Root: a.plan.release.RootFor(a.plan.user.UID), Command: a.plan.shown, User: a.plan.user.Name,
		GID: &a.plan.user.GID, Environment: a.plan.config.Environment, LogFile: logPath(a.plan.config, a.plan.root),
		StopGrace: a.plan.config.StopGrace, StartedAt: time.Now(),
	}
}

// wait sees the process end and tells.
func (s *Spawner) wait(p *process) {
	p.waitOut()
	s.dropOrigin(p)
	s.children.forget(p.handle.Identity().PID)
	s.publish()
	close(p.exited) // who waits for it finds the end in the list
	s.retire()
	time.AfterFunc(keepExited, func() {
		defer bug.Caught(nil)
		s.publish()
	})
}

// publish tells those who watch what there is now.
func (s *Spawner) publish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	list := protocol.ProcessList{Version: s.version, Processes: []protocol.Process{}}
	exited := map[string]int{} // by app
	kept := s.processes[:0:0]
	for _, p := range slices.Backward(s.processes) {
		r := p.listed()
		if r.Exit != nil {
			n := exited[r.App]
			exited[r.App]++
			if time.Since(r.Exit.At) >= keepExited || n >= mostExited {
				continue
			}
			if n > 0 && len(r.Exit.Output) > 0 {
				exit := *r.Exit
				exit.Output, r.Exit = nil, &exit
			}
		}
		kept = append(kept, p)
		if r.PID != 0 {
			list.Processes = append(list.Processes, r)
		}
	}
	slices.Reverse(kept)
	slices.Reverse(list.Processes)
	s.processes = kept
	s.feed.Set(list)
}

// ErrUnknown says that there is no process of that ID.
var ErrUnknown = errors.New("no such process")

// Stop asks a process to go, kills it if it does not within its grace, and
// returns its last record. One that is gone already is no error.
func (s *Spawner) Stop(id string, req protocol.StopRequest) (protocol.Process, error) {
	p := s.find(id)
	if p == nil || p.snapshot().PID == 0 {
		return protocol.Process{}, fmt.Errorf("process %q: %w", id, ErrUnknown)
	}
	r := p.snapshot()
	if r.State != protocol.Exited {
		if req.Dump {
			s.dump(p)
		}
		p.because(req.Reason)
		p.stop(seconds(r.StopGrace), s.publish)
	}
	return p.snapshot(), nil
}

// Close ends what is of no use without this spawner: the preloaders, and the
// processes whose records could not be written. The others run on.
func (s *Spawner) Close() {
	s.stopPreloaders()
	s.stopUnrecorded()
}

// StopAll stops every process and returns when they are gone.
func (s *Spawner) StopAll() {
	s.mu.Lock()
	processes := slices.Clone(s.processes)
	s.mu.Unlock()
	var wg sync.WaitGroup
	for _, p := range processes {
		if r := p.snapshot(); r.PID != 0 && r.State != protocol.Exited {
			wg.Go(func() {
				defer bug.Caught(nil)
				p.stop(seconds(r.StopGrace), s.publish)
			})
		}
	}
	wg.Wait()
}

// KillAll ends every process at once, for the reason given.
func (s *Spawner) KillAll(why string) {
	s.mu.Lock()
	processes := slices.Clone(s.processes)
	s.mu.Unlock()
	var wg sync.WaitGroup
	for _, p := range processes {
		if r := p.snapshot(); r.PID != 0 && r.State != protocol.Exited {
			wg.Go(func() {
				defer bug.Caught(nil)
				p.kill(why)
			})
		}
	}
	wg.Wait()
}

// Ours says whether a child of this program is one that the spawner waits for.
func (s *Spawner) Ours(pid int) bool { return s.children.ours(pid) }

// forget takes away a process that never was started, and its directory.
func (s *Spawner) forget(p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.processes = slices.DeleteFunc(s.processes, func(q *process) bool { return q == p })
	if err := os.RemoveAll(string(p.dir)); err != nil {
		slog.Error("process directory not removed", "err", err)
	}
}

func (s *Spawner) find(id string) *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.processes {
		if p.snapshot().ID == id {
			return p
		}
	}
	return nil
}
