package pool

import (
	"log/slog"
	"time"

	"passenger/lib/protocol"
)

// A process is one process of an app, from the decision to start it until it
// is gone.
type process struct {
	app    *app
	record protocol.Process // as the spawner last told it

	state state
	began time.Time // when it came on the books
	since time.Time // when the phase of its state began

	listing  listing
	lineage  lineage
	attached bool           // it was ready once, and events told
	exit     *protocol.Exit // in stateEnded

	// inTable is the version of the first table in which it drains, 0 if there
	// is none yet.
	inTable uint64

	// refuted says that it is of a generation that was taken back.
	refuted bool

	workDone uint64 // wishes for time out of band that were met

	// replaces is a worn process that goes once this one is ready.
	replaces *process

	why    string  // it is to go, empty until it is
	chance float64 // drawn for this process, in [0, 1)

	stopAgain time.Time // a stop that came to nothing is tried again then

	traffic traffic
}

// step has an event happen to a process, and reports whether that changed its
// state.
func (q *process) step(now time.Time, e event) bool {
	from, to := q.state, lives[e][q.state]
	if q.app.pool.testOnlyStep != nil {
		q.app.pool.testOnlyStep(e, from)
	}
	switch to {
	case never:
		slog.Error("internal error: an event that cannot be", "app", q.app.config.Name, "pid", q.record.PID, "state", from, "event", e)
		return false
	case stay:
		return false
	case stateGone:
		q.state = to
		q.remove(now)
	default:
		q.enter(now, to)
	}
	return true
}

// enter puts a process into a state.
func (q *process) enter(now time.Time, to state) {
	if to.phase() != q.state.phase() || q.since.IsZero() {
		q.since = now
	}
	if to == stateReady {
		q.app.grown, q.attached, q.inTable = true, true, 0
		q.app.demand = demand{} // it may take what waited; the next report tells
		q.traffic.used = now
	}
	if q.record.Address != "" {
		q.app.pool.table.changed(q.app)
	}
	q.state = to
}

// add puts a process on the books.
func (p *Pool) add(now time.Time, a *app, r protocol.Process, s state) *process {
	q := &process{app: a, record: r, chance: p.chance.Jitter(), began: now}
	p.processes[r.ID] = q
	a.processes = append(a.processes, q)
	q.enter(now, s)
	return q
}

// drain takes a process out of service. One that is not ready yet is stopped.
func (q *process) drain(now time.Time, why string) {
	q.withdraw(now, eventDrain, why)
}

// withdraw takes a process out of service by eventDrain or eventKeep.
func (q *process) withdraw(now time.Time, e event, why string) {
	q.why = why
	if q.state == stateReady {
		slog.Info("process drains", "app", q.app.config.Name, "pid", q.record.PID, "generation", q.record.Generation, "cause", why)
	}
	q.step(now, e)
}

// stopRetry is the pause between two attempts to stop a process.
const stopRetry = time.Second

// proxyGrace is how long after its start a pool that hears no proxy supposes
// that one is about to report.
const proxyGrace = protocol.ReportExpiry

// finish stops the processes that are drained.
func (p *Pool) finish(now time.Time, d *Decision) {
	for q := range p.ordered() {
		if q.state == stateDraining && q.drained(now, d) {
			q.step(now, eventUnused)
		}
		if q.state != stateLeaving && q.state != stateCancelled || !p.spawner.up {
			continue
		}
		if now.Before(q.stopAgain) {
			d.wake(q.stopAgain)
			continue
		}
		q.step(now, eventStop)
		d.Stop = append(d.Stop, Stop{q.record.ID, protocol.StopRequest{Reason: q.why, Dump: q.traffic.stuck > 0}})
	}
}

// drained says that q is unused, or has been used for too long.
func (q *process) drained(now time.Time, d *Decision) bool {
	if q.unused(now, d) {
		return true
	}
	deadline := q.since.Add(seconds(q.app.config.DrainTimeout))
	if now.Before(deadline) {
		d.wake(deadline)
		return false
	}
	slog.Warn("process still has requests after its drain timeout", "app", q.app.config.Name, "pid", q.record.PID,
		"in_flight", q.traffic.inFlight, "upgraded", q.traffic.upgraded)
	return true
}

// unused says that no proxy has a session on q, which drains, or will begin
// one.
func (q *process) unused(now time.Time, d *Decision) bool {
	if len(q.app.pool.proxies) == 0 {
		heard := q.app.pool.begun.Add(proxyGrace)
		if now.Before(heard) {
			d.wake(heard)
			return false
		}
		return true
	}
	for _, x := range q.app.pool.proxies {
		r := x.report.Processes[q.record.ID]
		if x.report.RoutesVersion < q.inTable || r.InFlight > 0 || r.Upgraded > 0 {
			return false
		}
	}
	return true
}

// Stopped tells the outcome of a stop: gone, or not known.
func (p *Pool) Stopped(now time.Time, id string, gone bool) {
	q := p.processes[id]
	if q == nil {
		for _, a := range p.apps {
			if a.crew.Stopped(now, id, gone) {
				return
			}
		}
		return
	}
	e := eventStayed
	if gone {
		e = eventStopped
	}
	q.stopAgain = now.Add(stopRetry)
	if q.state == stateCancelling {
		q.stopAgain = now // the stop may have overtaken the start
	}
	q.step(now, e)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// phase is the state as others are told of it.
func (q *process) phase() protocol.State { return q.state.phase() }

func (q *process) starting() bool { return q.phase() == protocol.Starting }
