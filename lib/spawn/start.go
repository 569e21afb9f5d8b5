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
	plan  *plan
	p     *process
	port  int    // for a generic app, else 0
	inode uint32 // of the listening socket

	phases []protocol.Phase

	noticed chan notice // what the process says, at most one of each kind
}

// run makes the attempt. An error is always a *protocol.SpawnError, and
// nothing is left of the process then.
func (a *attempt) run(ctx context.Context) error {
	limit := seconds(a.plan.config.StartTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, &timeoutError{limit})
	defer cancel()
	for _, phase := range []struct {
		name string
		do   func(context.Context) error
	}{
		{protocol.PhasePrepare, a.prepare},
		{protocol.PhaseExec, a.exec},
		{protocol.PhaseLoad, a.load},
	} {
		began := time.Now()
		err := phase.do(ctx)
		a.phases = append(a.phases, protocol.Phase{Name: phase.name, Took: time.Since(began).Seconds(), Failed: err != nil})
		if err != nil {
			return a.explain(err)
		}
	}
	return nil
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
	if err := makeOutput(a.p.dir.Output()); err != nil {
		return err
	}
	var err error
	a.p.notify, err = listenNotify("")
	if err != nil {
		return err
	}
	a.contract()
	return nil
}

// contract puts the variables of the process contract into the environment,
// whatever the app's settings say of them. LISTEN_PID is for the process
// itself to set.
func (a *attempt) contract() {
	env := a.plan.env
	delete(env, "LISTEN_PID")
	delete(env, "LISTEN_FDNAMES")
	env["LISTEN_FDS"] = "1"
	env["NOTIFY_SOCKET"] = a.p.notify.name
	env["PASSENGER_NOTIFY_FD"] = strconv.Itoa(notifyFD)
	if a.port != 0 {
		env["PORT"] = strconv.Itoa(a.port)
	}
}

// exec starts the process, writes its record, and lets it become the command.
func (a *attempt) exec(ctx context.Context) error {
	socket, err := a.listen()
	if err != nil {
		return err
	}
	defer socket.Close()
	notify, err := a.p.notify.client()
	if err != nil {
		return err
	}
	defer notify.Close()
	g, gateEnd, err := newGate()
	if err != nil {
		return err
	}
	defer g.close()
	defer gateEnd.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	out, err := os.OpenFile(a.p.dir.Output(), os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := a.fork([]*os.File{null, out, out, socket, notify, gateEnd}); err != nil {
		return err
	}
	gateEnd.Close() // the process's copy must be the last, or we never see its end
	a.publish()
	return g.open(ctx)
}

// listen makes the listening socket that the process inherits. We keep none:
// when the process is gone, connections are refused.
func (a *attempt) listen() (*os.File, error) {
	l, err := unixsock.Listen(a.p.dir.Socket(), 0o660)
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

// fork starts the process at its gate, reads its output and writes its record.
func (a *attempt) fork(files []*os.File) error {
	handle, err := a.startProcess("/proc/self/exe", gateArgs(a.plan.root, a.plan.args), &os.ProcAttr{
		Env: list(a.plan.env), Files: files, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	id := handle.Identity()
	if testOnlyForked != nil {
		testOnlyForked(id.PID)
	}
	a.p.handle = handle
	a.p.out, err = readOutput(a.p.dir.Output(), fmt.Sprintf("[%s %d] ", a.req.App, id.PID), a.Output)
	a.p.change(func(r *protocol.Process) {
		r.PID, r.StartTime, r.BootID, r.StartedAt = id.PID, id.StartTime, id.BootID, time.Now()
		r.NotifySocket = a.p.notify.name
	})
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
			if n.report != nil {
				failed = n.report // it exits next, and its output comes first
				patience = time.After(exitPatience)
				continue
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
func makeDirectory(dir statedir.ProcessDir) error {
	err := os.Mkdir(string(dir), 0o700)
	if errors.Is(err, fs.ErrExist) {
		return &protocol.Error{Code: protocol.CodeConflict, Message: fmt.Sprintf("process directory %s exists", dir)}
	}
	return err
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
