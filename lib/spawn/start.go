package spawn

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"passenger/lib/bug"
	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/spawn/diagnosis"
	"passenger/lib/spawn/environ"
	"passenger/lib/spawn/fork"
	"passenger/lib/spawn/gate"
	"passenger/lib/spawn/notify"
	"passenger/lib/spawn/survey"
)

// An attempt is one spawn, from the request to a process that is ready or an
// explanation.
type attempt struct {
	s *Spawner

	req   protocol.SpawnRequest
	gen   *generation // nil for a preloader's own start
	plan  *plan
	p     *process
	port  int    // for a generic app, else 0
	inode uint32 // of the listening socket

	preloader *preloader // that is to be, if the process is one
	endpoint  *os.File   // what a preloader has in the place of a listening socket

	began    time.Time // of the attempt
	phases   []protocol.Phase
	unseen   bool     // the process could not look at the app's directory in time
	cause    error    // what failed, before it was explained
	warnings []string // of the process, until it was ready

	noticed chan notify.Notice // what the process says, at most one of each kind
}

// run makes the attempt. An error is a *protocol.SpawnError or errChanged, and
// nothing is left of the process then.
func (a *attempt) run(ctx context.Context) (err error) {
	defer bug.Caught(func() { err = a.broken() })
	a.began = time.Now()
	defer func() { a.s.ports.Leave(a.port) }()
	err = a.phase(ctx, protocol.PhasePrepare, a.prepare)
	if err == nil {
		err = a.start(ctx)
	}
	if errors.Is(err, survey.ErrChanged) {
		a.end(err)
		return err
	}
	if err != nil {
		a.cause = err
		return a.explain(err)
	}
	return nil
}

// broken ends what is left of an attempt that a bug ended.
func (a *attempt) broken() (err error) {
	defer bug.Caught(nil)
	err = a.internalError()
	if a.p != nil {
		a.end(err)
	}
	return err
}

// internalError says that a bug of ours kept the process from getting ready.
func (a *attempt) internalError() *protocol.SpawnError {
	return &protocol.SpawnError{
		Category: protocol.CategoryInternal, Summary: "an internal error of the spawner", Advice: "its log has the details",
		App: a.req.App, ProcessID: a.req.ID, Generation: a.req.Generation, At: time.Now(), Phases: a.phases, Output: []string{},
	}
}

// phase does one step and notes how long it took.
func (a *attempt) phase(ctx context.Context, name string, do func(context.Context) error) error {
	began := time.Now()
	err := do(ctx)
	a.phases = append(a.phases, protocol.Phase{Name: name, Took: time.Since(began).Seconds(), Failed: err != nil})
	return err
}

// start brings the process into being and waits until it is ready: as a fork
// of its generation's preloader where that can be.
func (a *attempt) start(ctx context.Context) error {
	for a.plan.preload != nil && a.gen != nil {
		var l *preloader
		err := a.phase(ctx, protocol.PhasePreload, func(ctx context.Context) (err error) {
			l, err = a.gen.preloaderFor(ctx, a)
			return err
		})
		if errors.Is(err, errDirect) {
			a.phases = a.phases[:len(a.phases)-1]
			break
		}
		if errors.Is(err, survey.ErrChanged) && a.plan.expected == nil {
			continue // the preloader was another attempt's, which did not know yet
		}
		if err != nil {
			return err
		}
		a.plan.add(l.added)
		err = a.limited(ctx, protocol.PhaseFork, func(ctx context.Context) error { return a.fork(ctx, l) })
		if err == nil {
			a.gen.proven()
		}
		if !errors.Is(err, fork.ErrLost) {
			return err
		}
		a.gen.lost(l, err)
	}
	return a.limited(ctx, protocol.PhaseExec, a.exec)
}

// limited does the step that makes the process, and then waits until it is
// ready, both within the start timeout. A preloader's start has its own.
func (a *attempt) limited(ctx context.Context, name string, do func(context.Context) error) error {
	limit := seconds(a.plan.config.StartTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, &diagnosis.TimeoutError{Limit: limit})
	defer cancel()
	if err := a.phase(ctx, name, do); err != nil {
		return err
	}
	return a.phase(ctx, protocol.PhaseLoad, a.load)
}

// exec starts the process, writes its record, and lets it become the command.
func (a *attempt) exec(ctx context.Context) error {
	given, err := a.belongings()
	if err != nil {
		return err
	}
	defer closeAll(given)
	g, gateEnd, err := gate.New()
	if err != nil {
		return err
	}
	defer g.Close()
	defer gateEnd.Close()
	handle, err := a.s.children.start("/proc/self/exe", gate.Args(a.plan.args), &os.ProcAttr{
		Env: environ.List(a.plan.env), Files: append(given, gateEnd), Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	if err := a.confirm(ctx, g, handle); err != nil {
		return err
	}
	if err := a.begin(handle); err != nil {
		return err
	}
	gateEnd.Close() // the process's copy must be the last, or we never see its end
	a.s.publish()
	said, err := g.Open(ctx, a.plan.order)
	a.plan.add(said.Added)
	return err
}

// testOnlyForked is called while the process has no record yet.
var testOnlyForked func(pid int)

// begin puts the process at its gate into its cgroup, writes its record and
// reads its output.
func (a *attempt) begin(handle *proc.Handle) error {
	id := handle.Identity()
	if testOnlyForked != nil {
		testOnlyForked(id.PID)
	}
	a.p.handle = handle
	a.place(id.PID)
	a.p.change(func(r *protocol.Process) {
		r.PID, r.StartTime, r.BootID, r.StartedAt = id.PID, id.StartTime, id.BootID, time.Now()
		r.NotifySocket = a.p.notify.Name
	})
	err := a.s.readOutput(a.p)
	bug.Go(func() { a.s.wait(a.p) })
	bug.Go(func() { a.p.notify.Listen(id.PID, a.said) })
	return err
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
