package spawn

import (
	"context"
	"time"

	"passenger/lib/bug"
	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/spawn/diagnosis"
	"passenger/lib/spawn/listener"
	"passenger/lib/spawn/notify"
)

// said takes what the process says until it is ready, and drops what comes later.
func (a *attempt) said(n notify.Notice) {
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
	if a.p.Snapshot().State == protocol.Stopping {
		_ = a.p.Signal(a.p.StopSignal()) // gone is fine
	}
	var failed *notify.Report
	var patience <-chan time.Time // nil until it failed
	listening := a.watchListener(ctx)
	lived, done := a.livesLong()
	defer done()
	for {
		select {
		case <-lived:
			return a.ready("")
		case n := <-a.noticed:
			a.warnings = notify.AddWarnings(a.warnings, n.Warnings...)
			if n.Report != nil {
				failed = n.Report // it exits next, and its output comes first
				patience = time.After(exitPatience)
				continue
			}
			if !n.Ready {
				continue
			}
			if n.Concurrency > 0 && a.plan.Config.MaxConcurrency == nil {
				a.p.Change(func(r *protocol.Process) { r.Concurrency = n.Concurrency })
			}
			if n.SessionForm > 0 {
				a.p.Change(func(r *protocol.Process) { r.SessionForm = n.SessionForm })
			}
			return a.ready(a.address(ctx))
		case l := <-listening:
			if l.err == nil {
				return a.ready(l.address)
			}
			listening = nil // READY=1 or the timeout decides
		case <-a.p.Exited():
			return &diagnosis.ExitError{Report: a.lastReport(failed)}
		case <-patience:
			return &diagnosis.ExitError{Report: failed} // a thread of it, perhaps, delays its exit
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// lastReport is the reason that the process gave before it ended: the one
// known, or one that was not looked at yet.
func (a *attempt) lastReport(known *notify.Report) *notify.Report {
	for {
		select {
		case n := <-a.noticed:
			a.warnings = notify.AddWarnings(a.warnings, n.Warnings...)
			if n.Report != nil {
				known = n.Report
			}
		default:
			return known
		}
	}
}

// livesLong is a channel that tells once a side process has lived for as long as
// makes it ready; it stays silent for all others. The caller calls done.
func (a *attempt) livesLong() (lived <-chan time.Time, done func()) {
	side, ok := a.plan.Config.Processes[a.plan.ProcessType]
	if !ok || side.Notify {
		return nil, func() {}
	}
	t := time.NewTimer(seconds(side.ReadyAfter))
	return t.C, func() { t.Stop() }
}

// address is where a process that says READY=1 accepts. A generic command may
// do so and serve on its port all the same: Puma does.
func (a *attempt) address(ctx context.Context) string {
	if a.endpoint != nil || a.plan.ProcessType != "" {
		return "" // neither a preloader nor a side process serves requests
	}
	if a.port != 0 && listener.Accepts(ctx, listener.Loopback(a.port)) && proc.ListensOn(a.p.PID(), a.port) {
		return "tcp:" + listener.Loopback(a.port)
	}
	return "unix:" + a.p.Dir.Socket()
}

type listening struct {
	address string
	err     error
}

// watchListener looks for a generic app's listener. For the others, whose
// adapters say when they are ready, the channel stays silent.
func (a *attempt) watchListener(ctx context.Context) <-chan listening {
	if a.plan.Kind != protocol.TypeGeneric || a.plan.ProcessType != "" {
		return nil
	}
	found := make(chan listening, 1) // one send
	bug.Go(func() {
		address, err := listener.Await(ctx, a.p.PID(), a.port, a.p.Dir.Socket(), a.inode, a.listensElsewhere())
		found <- listening{address, err}
	})
	return found
}

func (a *attempt) ready(address string) error {
	a.gen.tellOpen(a.p.PID(), a.port, address)
	isReady := a.p.BecomeReady(a.plan.Secrets(), func(r *protocol.Process) {
		r.Address, r.ReadyAt = address, time.Now()
		r.SpawnTook = time.Since(a.began).Seconds()
	})
	if !isReady { // it was stopped or has ended
		<-a.p.Exited()
		return &diagnosis.ExitError{Report: a.lastReport(nil)}
	}
	return nil
}
