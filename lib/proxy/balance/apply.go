package balance

import (
	"slices"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/proxy/files"
)

// Apply takes over a new route. sendfile says which files answers of a process
// may name, nil for none.
func (a *App) Apply(r *protocol.Route, sendfile func(*protocol.RouteProcess) *files.Sendfile) {
	a.mu.Lock()
	a.size, a.open, a.wait = r.QueueSize, r.QueueOpen, QueueTime(r)
	again := a.tries && r.TryAtRequest && a.failure != nil && sameStart(a.failure, r.Error)
	a.failure, a.removed, a.paused, a.trial = r.Error, false, r.Paused, r.Trial
	a.canary.apply(r.Canary)
	a.nextTry, a.tries = r.NextTry, r.TryAtRequest
	a.maxUpgraded = defaultMaxUpgraded
	if r.MaxUpgraded != nil {
		a.maxUpgraded = *r.MaxUpgraded
	}
	a.keepsUpgraded = r.AbortWebSockets != nil && !*r.AbortWebSockets
	var closed []*Upstream
	for _, p := range a.processes {
		if !slices.ContainsFunc(r.Processes, func(rp protocol.RouteProcess) bool { return rp.ID == p.ID && !rp.Draining }) {
			closed = append(closed, p.drain()...)
		}
	}
	for _, rp := range r.Processes {
		a.applyProcess(&rp, sendfile(&rp))
		a.served = a.served || !rp.Draining
	}
	a.processes = slices.DeleteFunc(a.processes, func(p *Process) bool {
		over := !p.busy() && !slices.ContainsFunc(r.Processes, func(rp protocol.RouteProcess) bool { return rp.ID == p.ID })
		if over {
			a.departed.add(p)
		}
		return over
	})
	for _, p := range a.processes {
		if p.leaving && !a.keepsUpgraded {
			a.dismiss(p)
		}
	}
	a.grant()
	if a.paused == protocol.PausedPage {
		a.fail(ErrPaused)
	}
	if a.hopeless() && !again {
		a.fail(ErrNoProcess)
	}
	a.mu.Unlock()
	closeAll(closed)
}

func (a *App) applyProcess(rp *protocol.RouteProcess, sendfile *files.Sendfile) {
	for _, p := range a.processes {
		if p.ID == rp.ID {
			p.draining, p.leaving = rp.Draining, rp.Leaving
			p.concurrency = rp.Concurrency
			p.Sendfile.Store(sendfile)
			return
		}
	}
	p := newProcess(rp)
	p.Sendfile.Store(sendfile)
	a.processes = append(a.processes, p)
}

// Remove is Apply for an app that is no longer in the table.
func (a *App) Remove() {
	a.mu.Lock()
	a.removed = true
	var closed []*Upstream
	for _, p := range a.processes {
		closed = append(closed, p.drain()...)
		if !a.keepsUpgraded {
			a.dismiss(p)
		}
	}
	a.fail(ErrRemoved)
	a.mu.Unlock()
	closeAll(closed)
}

// Over says that the app left the table and its last session ended.
func (a *App) Over() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.removed && !slices.ContainsFunc(a.processes, (*Process).busy)
}

// DefaultQueueTime is what a table means that leaves the time out.
const DefaultQueueTime = time.Minute

// QueueTime is how long a request may wait for a process of an app.
func QueueTime(r *protocol.Route) time.Duration {
	if r.QueueTime > 0 {
		return time.Duration(r.QueueTime * float64(time.Second))
	}
	return DefaultQueueTime
}
