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
		a.recalled, a.published = true, r
		a.generation, a.newest = max(r.Generation, 1), max(r.Generation, 1)
		a.config.ServerNames, a.config.BaseURI = r.ServerNames, r.BaseURI
		*a.config.QueueSize, *a.config.FriendlyErrors = r.QueueSize, r.FriendlyErrors
		if r.QueueOpen {
			a.config.QueueSize = nil
		}
		a.config.QueueTime, a.config.ReadTimeout, a.config.DrainTimeout = r.QueueTime, r.ReadTimeout, r.DrainTimeout
		a.config.MaxRequestTime, a.config.Serving = r.RequestTime, r.Serving
		a.backoff.recall(r.Error)
		a.orders.paused, a.orders.instances = r.Paused, r.Instances
		a.uid, a.byApp = r.UID, r.SetByApp
		a.recallCanary(r.Canary)
		for _, rp := range r.Processes {
			from, state := cmp.Or(rp.Generation, a.generation), stateReady
			switch {
			case rp.Draining && !rp.Leaving && from != a.generation:
				state = stateKept
			case rp.Draining:
				state = stateDraining
			}
			q := p.add(now, a, protocol.Process{
				ID: rp.ID, App: r.App, Generation: a.generation, AppRoot: rp.AppRoot, Root: rp.Root, State: protocol.Ready,
				PID: rp.PID, Address: rp.Address, DataProtocol: rp.DataProtocol, SessionForm: rp.SessionForm, Concurrency: rp.Concurrency,
			}, state)
			q.listing = listed
			if rp.Draining {
				q.inTable = last.Version
				q.record.Generation = from
			}
			if r.Canary != nil && from == r.Canary.Generation {
				q.record.Generation = from
			}
		}
		a.grown = false
	}
}

// Listed tells what the spawner has, or what changed of that, if the list has a
// Base. The first list says what really runs.
func (p *Pool) Listed(now time.Time, list protocol.ProcessList) {
	if list.Base == 0 {
		p.spawner.has = make(map[string]bool, len(list.Processes))
	}
	has := p.spawner.has
	for _, id := range list.Gone {
		delete(has, id)
	}
	for _, r := range list.Processes {
		has[r.ID] = true
		q := p.processes[r.ID]
		if q == nil {
			if c := p.crewOf(r); c != nil {
				c.Listed(now, r)
				continue
			}
		}
		switch {
		case q == nil:
			p.adopt(now, r)
		case r.State == protocol.Exited:
			q.exited(now, r)
		default:
			q.update(now, r)
		}
	}
	for id, q := range p.processes {
		q.listing = q.listing.after(has[id])
	}
	p.unlisted(now, nil)
	for id, at := range p.gone {
		if !has[id] && now.Sub(at) > goneFor {
			delete(p.gone, id)
		}
	}
	p.spawner.up = true
	if !p.spawner.heard {
		p.spawner.heard = true
		p.Hold(p.spawner.held)
	}
}

// A listing says what the spawner's lists said of a process.
type listing int

const (
	unheard listing = iota // no list came since it is on the books
	missing                // none had it yet
	listed                 // the last one had it
	dropped                // one had it, and the last one has not
)

// after is the listing once another list has come.
func (l listing) after(has bool) listing {
	switch {
	case has:
		return listed
	case l == listed || l == dropped:
		return dropped
	}
	return missing
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
		case q.state.awaits() || q.listing != missing && q.listing != dropped:
		case q.listing == dropped || !now.Before(due):
			slog.Warn("process is gone", "app", q.app.config.Name, "pid", q.record.PID)
			q.step(now, eventVanishes)
		case d != nil:
			d.wake(due)
		}
	}
	for _, a := range p.apps {
		if again := a.crew.Missing(now, p.spawner.has); d != nil && !again.IsZero() {
			d.wake(again)
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
		a = p.stray(r.App)
	}
	if !p.spawner.heard && !a.recalled {
		a.generation = max(a.generation, r.Generation)
	}
	a.newest = max(a.newest, r.Generation)
	// Where no table had it, its check did not end.
	unseen := a.checks() && (p.spawner.heard || a.recalled)
	state := stateReady
	switch {
	case r.State == protocol.Stopping:
		state = stateLeaving
	case r.State == protocol.Starting || unseen:
		state = stateLoading
	}
	q := p.add(now, a, r, state)
	q.listing = listed
	if state == stateLoading && r.State != protocol.Starting {
		q.arrive(now)
	}
	slog.Debug("process adopted", "app", r.App, "pid", r.PID, "generation", r.Generation, "state", q.state)
}

// update takes in what the spawner says of a process that lives.
func (q *process) update(now time.Time, r protocol.Process) {
	q.app.pool.table.changed(q.app)
	q.record = r
	q.app.newest = max(q.app.newest, r.Generation)
	switch {
	case r.State == protocol.Stopping:
		q.step(now, eventStops)
	case r.State == protocol.Ready && q.starting():
		q.arrive(now)
	}
}

// exited tells that a process ended.
func (q *process) exited(now time.Time, r protocol.Process) {
	was := q.phase()
	if q.state == stateSpawning {
		q.exit = r.Exit
	}
	if q.step(now, eventExits) && q.state == stateGone {
		q.mourn(now, was, r)
	}
}

// mourn does what follows from the exit of a process that was in a phase.
func (q *process) mourn(now time.Time, was protocol.State, r protocol.Process) {
	cause := "unknown"
	if r.Exit != nil {
		cause = r.Exit.Cause
	}
	a := q.app
	a.pool.table.changed(a)
	switch was {
	case protocol.Starting:
		if r.Exit != nil && r.Exit.Orphaned {
			a.backoff.pause(now)
			return
		}
		q.failed(now, &protocol.SpawnError{
			Category: protocol.CategoryExit, Summary: "ended before it was ready: " + cause,
			App: a.config.Name, ProcessID: r.ID, Generation: r.Generation, At: now, Exit: r.Exit,
			Command: r.Command, AppRoot: r.AppRoot, User: r.User,
		})
	case protocol.Ready, protocol.Draining:
		slog.Debug("process exited", "app", a.config.Name, "pid", r.PID, "cause", cause)
		if was == protocol.Ready {
			q.died(now, r, cause)
		}
	default:
		slog.Debug("process stopped", "app", a.config.Name, "pid", r.PID, "cause", cause)
	}
}
