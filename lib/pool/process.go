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

	// phase is what we make of it: Starting, Ready, Draining or Stopping.
	phase protocol.State

	began    time.Time // when it came on the books
	since    time.Time // when the phase began
	served   bool      // it was ready once
	unfit    bool      // it cannot be promoted
	outdated bool      // another of its generation was promoted since it was started
	spawning bool      // its spawn is under way: the outcome comes as an event
	listed   bool      // a list of the spawner had it
	missed   bool      // the last one had it not
	checking bool      // its check is under way, likewise
	exit     *protocol.Exit

	// inTable is the version of the first table in which it drains, 0 if there
	// is none yet.
	inTable uint64

	// kept says that it drains, but is not to be stopped: it is what a restart
	// that turns out bad goes back to.
	kept bool

	// refuted says that it is of a generation that was taken back.
	refuted bool

	// work is its time out of band, nil if it has none now; workDone is how
	// many wishes for it were met.
	work     *work
	workDone uint64

	// replaces is a worn process that goes once this one is ready.
	replaces *process

	why    string  // it is to go, empty until it is
	chance float64 // drawn for this process, in [0, 1)

	stopping  bool      // its stop is under way
	stopAgain time.Time // a stop that came to nothing is tried again then

	traffic traffic
}

func (p *Pool) enter(now time.Time, q *process, phase protocol.State) {
	if q.phase == phase {
		return
	}
	if phase == protocol.Ready {
		q.app.grown, q.served = true, true
		q.app.demand = demand{} // it may take what waited; the next report tells
		q.traffic.used = now
	}
	if q.record.Address != "" {
		p.table.stale = true
	}
	q.phase, q.since = phase, now
}

// add puts a process on the books.
func (p *Pool) add(now time.Time, a *app, r protocol.Process, phase protocol.State) *process {
	q := &process{app: a, record: r, chance: p.chance.Jitter(), began: now}
	p.processes[r.ID] = q
	a.processes = append(a.processes, q)
	p.enter(now, q, phase)
	return q
}

// drain takes a process out of service. One that is not ready yet is stopped.
func (p *Pool) drain(now time.Time, q *process, why string) {
	q.work, q.why = nil, why
	switch q.phase {
	case protocol.Starting:
		p.enter(now, q, protocol.Stopping)
	case protocol.Ready:
		slog.Info("process drains", "app", q.app.config.Name, "pid", q.record.PID, "generation", q.record.Generation, "cause", why)
		p.enter(now, q, protocol.Draining)
	}
}

// stopRetry is the pause between two attempts to stop a process.
const stopRetry = time.Second

// proxyGrace is how long after its start a pool that hears no proxy supposes
// that one is about to report.
const proxyGrace = protocol.ReportExpiry

// finish stops the processes that are drained.
func (p *Pool) finish(now time.Time, d *Decision) {
	for q := range p.ordered() {
		if q.phase == protocol.Draining && !q.kept && q.work == nil && p.drained(now, q, d) {
			p.enter(now, q, protocol.Stopping)
		}
		if q.phase != protocol.Stopping || q.stopping || !p.spawner.up {
			continue
		}
		if now.Before(q.stopAgain) {
			d.wake(q.stopAgain)
			continue
		}
		q.stopping = true
		d.Stop = append(d.Stop, Stop{q.record.ID, protocol.StopRequest{Reason: q.why, Dump: q.traffic.stuck > 0}})
	}
}

// drained says that q is unused, or has been used for too long.
func (p *Pool) drained(now time.Time, q *process, d *Decision) bool {
	if p.unused(now, q, d) {
		return true
	}
	deadline := q.since.Add(seconds(q.app.config.DrainTimeout))
	if now.Before(deadline) {
		d.wake(deadline)
		return false
	}
	slog.Warn("process has requests still after its drain timeout", "app", q.app.config.Name, "pid", q.record.PID,
		"in_flight", q.traffic.inFlight, "upgraded", q.traffic.upgraded)
	return true
}

// unused says that no proxy has a session on q, which drains, or will begin
// one.
func (p *Pool) unused(now time.Time, q *process, d *Decision) bool {
	if len(p.proxies) == 0 {
		heard := p.begun.Add(proxyGrace)
		if now.Before(heard) {
			d.wake(heard)
			return false
		}
		return true
	}
	for _, x := range p.proxies {
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
		return
	}
	q.stopping = false
	switch {
	case q.spawning:
		// The stop overtook the start, whose outcome is still to come.
		q.stopAgain = now
	case gone:
		p.remove(now, q)
	default:
		q.stopAgain = now.Add(stopRetry)
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// leaving says that q is out of service in order to be stopped.
func (q *process) leaving() bool {
	return q.phase == protocol.Stopping || q.phase == protocol.Draining && !q.kept && q.work == nil
}

func (q *process) starting() bool { return q.phase == protocol.Starting }
