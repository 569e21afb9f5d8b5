package spawn

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/output"
	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/statedir"
	"passenger/lib/unixsock"
)

// An attempt is one spawn, from the request to a process that is ready or an
// explanation.
type attempt struct {
	*Spawner
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
	cause    error    // what failed, before it was explained
	warnings []string // of the process, until it was ready

	noticed chan notice // what the process says, at most one of each kind
}

// run makes the attempt. An error is always a *protocol.SpawnError, and
// nothing is left of the process then.
func (a *attempt) run(ctx context.Context) error {
	a.began = time.Now()
	err := a.phase(ctx, protocol.PhasePrepare, a.prepare)
	if err == nil {
		err = a.start(ctx)
	}
	if err != nil {
		a.cause = err
		return a.explain(err)
	}
	return nil
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
		if err != nil {
			return err
		}
		a.plan.add(l.added)
		err = a.limited(ctx, protocol.PhaseFork, func(ctx context.Context) error { return a.fork(ctx, l) })
		if err == nil {
			a.gen.proven()
		}
		if !errors.Is(err, errPreloaderLost) {
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
	ctx, cancel := context.WithTimeoutCause(ctx, limit, &timeoutError{limit})
	defer cancel()
	if err := a.phase(ctx, name, do); err != nil {
		return err
	}
	return a.phase(ctx, protocol.PhaseLoad, a.load)
}

// prepare makes what the process will inherit.
func (a *attempt) prepare(context.Context) error {
	if a.plan.kind == protocol.TypeGeneric {
		port, err := freePort()
		if err != nil {
			return err
		}
		a.port = port
	}
	for _, path := range []string{a.p.dir.Stdout(), a.p.dir.Stderr()} {
		if err := output.MakeFIFO(path, a.plan.user.UID); err != nil {
			return err
		}
	}
	var err error
	a.p.notify, err = listenNotify("")
	if err != nil {
		return err
	}
	a.contract()
	return nil
}

// contract puts the variables of the process contract into the environment.
func (a *attempt) contract() {
	contract(a.plan.env, a.p.notify.name, a.port)
	if a.endpoint != nil {
		delete(a.plan.env, "LISTEN_FDS")
		a.plan.env["PASSENGER_PRELOADER_FD"] = strconv.Itoa(listenFD)
	}
}

// contract does so for a process that serves, whatever the app's settings say
// of those variables. LISTEN_PID is for the process itself to set. port is 0
// for an app that has none.
func contract(env map[string]string, notifySocket string, port int) {
	delete(env, "LISTEN_PID")
	delete(env, "LISTEN_FDNAMES")
	env["LISTEN_FDS"] = "1"
	env["NOTIFY_SOCKET"] = notifySocket
	env["PASSENGER_NOTIFY_FD"] = strconv.Itoa(notifyFD)
	if port != 0 {
		env["PORT"] = strconv.Itoa(port)
	}
}

// exec starts the process, writes its record, and lets it become the command.
func (a *attempt) exec(ctx context.Context) error {
	given, err := a.belongings()
	if err != nil {
		return err
	}
	defer closeAll(given)
	g, gateEnd, err := newGate()
	if err != nil {
		return err
	}
	defer g.close()
	defer gateEnd.Close()
	handle, err := a.startProcess("/proc/self/exe", gateArgs(a.plan.args), &os.ProcAttr{
		Env: list(a.plan.env), Files: append(given, gateEnd), Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	if err := a.begin(handle); err != nil {
		return err
	}
	gateEnd.Close() // the process's copy must be the last, or we never see its end
	a.publish()
	added, err := g.open(ctx, a.plan.order)
	a.plan.add(added)
	return err
}

// belongings are the descriptors that a process starts with: standard input,
// output and error, its listening socket, and the socket to notify us.
func (a *attempt) belongings() (files []*os.File, err error) {
	defer func() {
		if err != nil {
			closeAll(files)
		}
	}()
	stream := func(path string) func() (*os.File, error) {
		return func() (*os.File, error) { return os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW, 0) }
	}
	for _, open := range []func() (*os.File, error){
		func() (*os.File, error) { return os.Open(os.DevNull) }, stream(a.p.dir.Stdout()), stream(a.p.dir.Stderr()), a.listen, a.p.notify.client,
	} {
		f, err := open()
		if err != nil {
			return files, err
		}
		files = append(files, f)
	}
	return files, nil
}

// listen makes the listening socket that the process inherits. We keep none:
// when the process is gone, connections are refused.
func (a *attempt) listen() (*os.File, error) {
	if a.endpoint != nil {
		return duplicate(a.endpoint)
	}
	gid := -1
	if a.Group != nil {
		gid = a.Group.GID
	}
	l, err := unixsock.ListenFor(a.p.dir.Socket(), 0o660, gid)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	f, err := l.File()
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		f.Close()
		return nil, fmt.Errorf("listen: %w", err)
	}
	a.inode = uint32(st.Ino)
	return f, nil
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
		r.NotifySocket = a.p.notify.name
	})
	err := a.readOutput(a.p)
	go a.wait(a.p)
	go a.p.notify.listen(id.PID, a.said)
	return err
}

// said takes what the process says before it is ready; what comes later has no
// reader and is dropped.
func (a *attempt) said(n notice) {
	select {
	case a.noticed <- n:
	default:
	}
}

// exitPatience is how long a process may take to exit after it has said why
// the app did not load.
const exitPatience = 3 * time.Second

// load waits until the process is ready.
func (a *attempt) load(ctx context.Context) error {
	// A SIGTERM that came while the process was still at its gate may be lost:
	// execve(2) ends the thread that had just taken it.
	if a.p.snapshot().State == protocol.Stopping {
		_ = a.p.handle.Signal(syscall.SIGTERM) // gone is fine
	}
	var failed *report
	var patience <-chan time.Time // nil until it failed
	listening := a.watchListener(ctx)
	for {
		select {
		case n := <-a.noticed:
			a.warnings = append(a.warnings, n.warnings...)
			if n.report != nil {
				failed = n.report // it exits next, and its output comes first
				patience = time.After(exitPatience)
				continue
			}
			if !n.ready {
				continue
			}
			if n.concurrency > 0 && a.plan.config.MaxConcurrency == nil {
				a.p.change(func(r *protocol.Process) { r.Concurrency = n.concurrency })
			}
			return a.ready(a.address(ctx))
		case l := <-listening:
			if l.err == nil {
				return a.ready(l.address)
			}
			listening = nil // READY=1 or the timeout decides
		case <-a.p.exited:
			return &exitError{report: a.lastReport(failed)}
		case <-patience:
			return &exitError{report: failed} // something in it keeps it from its exit
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// lastReport is the reason that the process gave before it ended: the one
// known, or one that was not looked at yet.
func (a *attempt) lastReport(known *report) *report {
	for {
		select {
		case n := <-a.noticed:
			a.warnings = append(a.warnings, n.warnings...)
			if n.report != nil {
				known = n.report
			}
		default:
			return known
		}
	}
}

// address is where a process that says READY=1 accepts. A generic command may
// do so and serve on its port all the same: Puma does.
func (a *attempt) address(ctx context.Context) string {
	if a.endpoint != nil {
		return "" // a preloader serves nobody
	}
	if a.port != 0 && accepts(ctx, loopback(a.port)) && proc.ListensOn(a.p.handle.Identity().PID, a.port) {
		return "tcp:" + loopback(a.port)
	}
	return "unix:" + a.p.dir.Socket()
}

type listening struct {
	address string
	err     error
}

// watchListener looks for a generic app's listener. For the others, whose
// adapters say when they are ready, the channel stays silent.
func (a *attempt) watchListener(ctx context.Context) <-chan listening {
	if a.plan.kind != protocol.TypeGeneric {
		return nil
	}
	found := make(chan listening, 1) // one send
	go func() {
		address, err := awaitListener(ctx, a.p.handle.Identity().PID, a.port, a.p.dir.Socket(), a.inode)
		found <- listening{address, err}
	}()
	return found
}

func (a *attempt) ready(address string) error {
	a.p.change(func(r *protocol.Process) {
		if r.State == protocol.Starting { // else it was stopped or has gone
			r.State, r.Address, r.ReadyAt = protocol.Ready, address, time.Now()
			r.SpawnTook = time.Since(a.began).Seconds()
		}
	})
	r := a.p.snapshot()
	if r.State != protocol.Ready {
		<-a.p.exited
		return &exitError{report: a.lastReport(nil)}
	}
	return nil
}

// A timeoutError says that the start timeout ran out.
type timeoutError struct{ limit time.Duration }

func (e *timeoutError) Error() string { return fmt.Sprintf("not ready within %v", e.limit) }

// An exitError says that the process was gone before it was ready.
type exitError struct{ report *report }

func (e *exitError) Error() string { return "exited before it was ready" }

// makeDirectory makes the process's directory, or says that the ID is taken.
func (s *Spawner) makeDirectory(dir statedir.ProcessDir) error {
	err := os.Mkdir(string(dir), 0o700)
	if errors.Is(err, fs.ErrExist) {
		return &protocol.Error{Code: protocol.CodeConflict, Message: fmt.Sprintf("process directory %s exists", dir)}
	}
	if err == nil && s.Group != nil { // to whose socket the group connects
		err = errors.Join(os.Lchown(string(dir), -1, s.Group.GID), os.Chmod(string(dir), 0o710))
	}
	return err
}

func duplicate(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("duplicate %s: %w", f.Name(), err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
