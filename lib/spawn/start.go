package spawn

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strconv"
	"syscall"
	"time"

	"passenger/lib/bug"
	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/security"
	"passenger/lib/spawn/diagnosis"
	"passenger/lib/spawn/environ"
	"passenger/lib/spawn/fork"
	"passenger/lib/spawn/gate"
	"passenger/lib/spawn/notify"
	"passenger/lib/spawn/plan"
	"passenger/lib/spawn/process"
	"passenger/lib/spawn/survey"
)

// An attempt is one start, from the request to a process that is ready or an
// error that explains.
type attempt struct {
	s *Spawner

	req   protocol.SpawnRequest
	slot  int         // of the process, 0 for a preloader
	gen   *generation // nil for a preloader's own start
	plan  *plan.Plan
	p     *process.Process
	port  int    // for a generic app, else 0
	inode uint32 // of the listening socket

	preloader *preloader // what the process is to become, nil if it is to serve
	endpoint  *os.File   // a preloader's control socket, in the place of a listening socket

	began    time.Time // of the attempt
	phases   []protocol.Phase
	cause    error    // the error behind the one that explains
	warnings []string // what the process warned of until it was ready

	noticed chan notify.Notice // what the process says, at most one of each kind
}

// run makes the attempt. An error is a *protocol.SpawnError or
// [survey.ErrChanged], and
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
		a.takeBack(err)
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
	for a.plan.Preload != nil && a.gen != nil {
		var l *preloader
		err := a.phase(ctx, protocol.PhasePreload, func(ctx context.Context) (err error) {
			l, err = a.gen.preloaderFor(ctx, a)
			return err
		})
		if errors.Is(err, errDirect) {
			a.phases = a.phases[:len(a.phases)-1]
			break
		}
		if errors.Is(err, survey.ErrChanged) && a.plan.Expected == nil {
			continue // another attempt had begun the preloader, by what was known then
		}
		if err != nil {
			return err
		}
		a.plan.Add(l.added)
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
	limit := seconds(a.plan.Config.StartTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, &diagnosis.TimeoutError{Limit: limit})
	defer cancel()
	if err := a.phase(ctx, name, do); err != nil {
		return err
	}
	return a.phase(ctx, protocol.PhaseLoad, a.load)
}

// exec starts the process, writes its record, and lets it become the command.
func (a *attempt) exec(ctx context.Context) error {
	p, err := a.passage()
	if err != nil {
		return err
	}
	defer p.leave()
	handle, err := a.s.children.Start("/proc/self/exe", gate.Args(a.plan.Args), &os.ProcAttr{
		Env: environ.List(a.plan.Env), Files: p.inherited, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	if err := a.begin(handle); err != nil { // meanwhile the process comes to its gate, and looks
		return err
	}
	if err := a.confirm(ctx, p.gate); err != nil {
		return err
	}
	p.handOver()
	a.s.publish()
	a.s.ports.Release(a.port)
	said, err := p.gate.Open(ctx, a.plan.Order)
	a.plan.Add(said.Added)
	if err == nil {
		a.tellUser()
	}
	return err
}

// tellUser tells as whom the app's command runs, where that is decided for each
// app. What a preloader forks runs as the same user.
func (a *attempt) tellUser() {
	if a.s.Switching == nil {
		return
	}
	u := a.plan.User
	slog.Info("command runs as user", security.UserSwitched.Attr(), "app", a.req.App, "pid", a.p.PID(), "generation", a.req.Generation,
		"user.name", u.Name, "user.id", strconv.Itoa(u.UID), "command", a.plan.Args[0])
}

// testOnlyForked is called while the process has no record yet.
var testOnlyForked func(pid int)

// begin writes the record of the process at its gate, puts it into its cgroup
// and reads its output.
func (a *attempt) begin(handle *proc.Handle) error {
	if testOnlyForked != nil {
		testOnlyForked(handle.Identity().PID)
	}
	a.p.Begin(handle)
	a.s.cgroups.Place(a.p, limitsOf(a.plan.Config))
	err := a.s.outputs.read(a.p)
	bug.Go(func() { a.s.wait(a.p) })
	bug.Go(func() { a.p.Notify.Listen(a.p.PID(), a.said) })
	return err
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
