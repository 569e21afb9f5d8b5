package pool

import (
	"cmp"
	"log/slog"
	"slices"
	"time"

	"passenger/lib/protocol"
)

// goneFor is how long a late list may still name a process that is gone.
const goneFor = time.Minute

// recall believes what the last table says, until the spawner is heard.
func (p *Pool) recall(now time.Time, last *protocol.Routes) {
	p.table.recall(last)
	for _, r := range last.Apps {
		a := p.unknown(r.App)
		a.recalled = true
		a.generation, a.newest = max(r.Generation, 1), max(r.Generation, 1)
		a.config.ServerNames, a.config.BaseURI = r.ServerNames, r.BaseURI
		*a.config.QueueSize, *a.config.FriendlyErrors = r.QueueSize, r.FriendlyErrors
		if r.QueueOpen {
			a.config.QueueSize = nil
		}
		a.config.QueueTime, a.config.ReadTimeout, a.config.DrainTimeout = r.QueueTime, r.ReadTimeout, r.DrainTimeout
		a.config.MaxRequestTime, a.config.Serving = r.RequestTime, r.Serving
		a.backoff.recall(r.Error)
		a.paused, a.instances = r.Paused, r.Instances
		a.uid, a.byApp = r.UID, r.SetByApp
		for _, rp := range r.Processes {
			phase := protocol.Ready
			if rp.Draining {
				phase = protocol.Draining
			}
			q := p.add(now, a, protocol.Process{
				ID: rp.ID, App: r.App, Generation: a.generation, AppRoot: rp.AppRoot, Root: rp.Root, State: protocol.Ready,
				PID: rp.PID, Address: rp.Address, DataProtocol: rp.DataProtocol, Concurrency: rp.Concurrency,
			}, phase)
			q.listed = true
			if rp.Draining {
				q.inTable = last.Version
				q.record.Generation = cmp.Or(rp.Generation, a.generation)
				q.kept = !rp.Leaving && q.record.Generation != a.generation
			}
		}
		a.grown = false
	}
	p.table.stale = true
}

// Listed tells what the spawner has. The first list says what really runs.
func (p *Pool) Listed(now time.Time, list protocol.ProcessList) {
	listed := make(map[string]bool, len(list.Processes))
	for _, r := range list.Processes {
		listed[r.ID] = true
		q := p.processes[r.ID]
		switch {
		case q == nil:
			p.adopt(now, r)
		case r.State == protocol.Exited:
			p.exited(now, q, r)
		default:
			p.update(now, q, r)
		}
	}
	for id, q := range p.processes {
		q.listed, q.missed = q.listed || listed[id], !listed[id]
	}
	p.unlisted(now, nil)
	for id, at := range p.gone {
		if !listed[id] && now.Sub(at) > goneFor {
			delete(p.gone, id)
		}
	}
	p.spawner.up = true
	if !p.spawner.heard {
		p.spawner.heard = true
		p.Hold(p.spawner.held)
	}
}

// listTime is how long a list may take to come: the outcome of a spawn is told
// by another way, and may be the sooner of the two.
const listTime = 5 * time.Second

// unlisted takes the processes off the books that the spawner does not have any
// more. One that no list had yet may be younger than the last one.
func (p *Pool) unlisted(now time.Time, d *Decision) {
	for _, q := range slices.Collect(p.ordered()) {
		due := q.began.Add(listTime)
		switch {
		case !q.missed || q.spawning:
		case q.listed || !now.Before(due):
			slog.Warn("process is gone", "app", q.app.config.Name, "pid", q.record.PID)
			p.remove(now, q)
		case d != nil:
			d.wake(due)
		}
	}
}

// SpawnerLost tells that the spawner is not heard any more.
func (p *Pool) SpawnerLost() { p.spawner.up = false }

// adopt takes over a process that the pool did not start, or did in a former
// life.
func (p *Pool) adopt(now time.Time, r protocol.Process) {
	if _, late := p.gone[r.ID]; late {
		return
	}
	a := p.apps[r.App]
	if r.State == protocol.Exited {
		if a != nil {
			a.newest = max(a.newest, r.Generation)
		}
		return
	}
	if a == nil {
		if a = p.unknown(r.App); p.spawner.heard && !p.spawner.held {
			a.held, a.removed = false, true
		}
	}
	if !p.spawner.heard && !a.recalled {
		a.generation = max(a.generation, r.Generation)
	}
	a.newest = max(a.newest, r.Generation)
	phase := r.State
	if phase != protocol.Starting && phase != protocol.Stopping {
		phase = protocol.Ready
	}
	unseen := phase == protocol.Ready && a.checks() && (p.spawner.heard || a.recalled)
	if unseen {
		phase = protocol.Starting // no table had it: its check did not end
	}
	q := p.add(now, a, r, phase)
	q.listed = true
	if unseen {
		p.arrive(now, q)
	}
	slog.Debug("process adopted", "app", r.App, "pid", r.PID, "generation", r.Generation, "state", phase)
}

// update takes in what the spawner says of a process that lives.
func (p *Pool) update(now time.Time, q *process, r protocol.Process) {
	if q.record.Address != r.Address || q.record.PID != r.PID || q.record.Concurrency != r.Concurrency {
		p.table.stale = true
	}
	q.record = r
	q.app.newest = max(q.app.newest, r.Generation)
	switch {
	case r.State == protocol.Stopping:
		p.enter(now, q, protocol.Stopping)
	case r.State == protocol.Ready && q.phase == protocol.Starting:
		p.arrive(now, q)
	}
}

// exited tells that a process ended.
func (p *Pool) exited(now time.Time, q *process, r protocol.Process) {
	if q.spawning {
		q.exit = r.Exit // the spawn's outcome says more
		return
	}
	was := q.phase
	p.remove(now, q)
	cause := "unknown"
	if r.Exit != nil {
		cause = r.Exit.Cause
	}
	a := q.app
	switch was {
	case protocol.Starting:
		if r.Exit != nil && r.Exit.Orphaned {
			a.backoff.pause(now)
			return
		}
		p.failed(now, q, &protocol.SpawnError{
			Category: protocol.CategoryExit, Summary: "ended before it was ready: " + cause,
			App: a.config.Name, ProcessID: r.ID, Generation: r.Generation, At: now, Exit: r.Exit,
			Command: r.Command, AppRoot: r.AppRoot, User: r.User,
		})
	case protocol.Ready, protocol.Draining:
		slog.Debug("process exited", "app", a.config.Name, "pid", r.PID, "cause", cause)
		if was == protocol.Ready {
			p.died(now, q, r, cause)
		}
	default:
		slog.Debug("process stopped", "app", a.config.Name, "pid", r.PID, "cause", cause)
	}
}
