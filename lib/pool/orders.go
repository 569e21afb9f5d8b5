package pool

import (
	"fmt"
	"log/slog"
	"time"

	"passenger/lib/protocol"
)

// orders are what callers asked of an app beside its settings.
type orders struct {
	paused    string // see [protocol.App]
	pausedIn  uint64 // the first table that says so, 0 if there is none yet
	instances *int   // see [protocol.App]
}

// Pause keeps requests from the app's processes: how is [protocol.PausedHold]
// or [protocol.PausedPage]; empty ends it. It reports whether there is such an
// app.
func (p *Pool) Pause(name, how string) bool {
	a := p.apps[name]
	if a == nil || a.removed {
		return false
	}
	if a.orders.paused != how {
		slog.Info("app paused", "app", name, "how", how)
		a.orders.paused, a.orders.pausedIn = how, 0
		p.table.changed(a)
	}
	return true
}

// Quiet says that the app is paused, every proxy knows, and no process has a
// request any more.
func (p *Pool) Quiet(now time.Time, name string) bool {
	a := p.apps[name]
	if a == nil || a.orders.pausedIn == 0 || !p.Used(now, a.orders.pausedIn) {
		return false
	}
	for _, q := range a.processes {
		if !q.traffic.idle() {
			return false
		}
	}
	return true
}

// Used says that every proxy uses the table of a version, or a later one. A
// pool that hears none supposes for a while that one is about to report.
func (p *Pool) Used(now time.Time, version uint64) bool {
	if len(p.proxies) == 0 {
		return !now.Before(p.begun.Add(proxyGrace))
	}
	for _, x := range p.proxies {
		if x.report.RoutesVersion < version {
			return false
		}
	}
	return true
}

// Scale has the app run n processes, whatever its settings and the demand; nil
// leaves it to them again.
func (p *Pool) Scale(name string, n *int) error {
	a := p.apps[name]
	switch {
	case a == nil || a.removed:
		return &protocol.Error{Code: protocol.CodeUnknownApp, Message: fmt.Sprintf("unknown app %q", name)}
	case n != nil && *n < 0:
		return &protocol.Error{Code: protocol.CodeBadRequest, Message: fmt.Sprintf("%d processes make no sense", *n)}
	case n != nil && *n > p.limits.Processes:
		return &protocol.Error{
			Code:    protocol.CodeConflict,
			Message: fmt.Sprintf("app %q cannot have %d processes: the pool has at most %d in all", name, *n, p.limits.Processes),
			Hint:    "start passenger-pool with a higher --max-pool-size",
		}
	}
	if a.orders.instances = nil; n != nil {
		a.orders.instances = new(*n)
	}
	p.table.changed(a)
	return nil
}

// Detach drains one process, which is then stopped, and replaced if it is
// needed. It reports whether there is such a process.
func (p *Pool) Detach(now time.Time, id string) bool {
	if q := p.processes[id]; q != nil {
		q.drain(now, "detached")
		return true
	}
	for _, a := range p.apps {
		if a.crew.Detach(id) {
			return true
		}
	}
	return false
}

// ProcessOf is the ID of the process with a pid, empty if there is none.
func (p *Pool) ProcessOf(pid int) string {
	for id, q := range p.processes {
		if q.record.PID == pid && pid > 0 {
			return id
		}
	}
	for _, a := range p.apps {
		if id := a.crew.ProcessOf(pid); id != "" {
			return id
		}
	}
	return ""
}
