package pool

import (
	"cmp"
	"log/slog"
	"slices"
	"time"

	"passenger/lib/protocol"
)

// A want is what an app lacks.
type want struct {
	app    *app
	starts int // processes to start
	rank   int // the lower, the sooner
	has    int // processes that serve or start
	waited float64

	// optional says that the app is served without: it has to do so while
	// memory is short.
	optional bool
}

// Ranks of wants.
const (
	unserved = iota // no process serves or starts
	short           // fewer than the minimum, or than a restart needs
	busy            // requests wait
	ahead           // requests may come
)

// start starts what apps lack, so far as there is room, the worst off first.
func (p *Pool) start(now time.Time, d *Decision) {
	if !p.spawner.up {
		return
	}
	var wants []want
	for _, a := range p.apps {
		if w := a.wanted(); w.starts > 0 {
			if now.Before(a.backoff.next()) && !a.eager(now, d) {
				d.wake(a.backoff.next())
				continue
			}
			wants = append(wants, w)
		}
	}
	for full := false; len(wants) > 0; {
		slices.SortFunc(wants, func(a, b want) int {
			return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.has, b.has), cmp.Compare(b.waited, a.waited), cmp.Compare(a.app.config.Name, b.app.config.Name))
		})
		w := &wants[0]
		switch {
		case w.app.poolFull():
			if !full {
				p.makeRoom(now, wants, d)
			}
			full, wants = true, wants[1:]
			continue
		case p.loading(now, d) >= p.limits.Starting:
			return
		case !w.app.appFull() && (w.optional && !w.app.fits() || w.rank == busy && w.strained() && p.host.MemoryPressure > highMemory):
			w.app.withhold(now)
			wants = wants[1:]
			continue
		case w.app.appFull(), w.rank == busy && w.strained():
			wants = wants[1:]
			continue
		}
		d.Start = append(d.Start, w.app.spawn(now))
		w.has++
		if w.starts--; w.starts == 0 {
			wants = wants[1:]
		} else {
			w.rank = max(w.rank, short)
		}
	}
}

// wanted says what an app lacks, whether there is room or not.
func (a *app) wanted() want {
	w := want{app: a, waited: a.demand.waited}
	if a.removed || a.held {
		return w
	}
	c := a.census()
	w.has = c.serving() + c.starting
	switch {
	case a.restart != nil:
		w.starts, w.rank, w.optional = a.restart.lacks(c), short, c.old > 0
	case c.ready+c.starting < a.least():
		w.starts, w.rank = a.least()-c.ready-c.starting, short
	}
	if w.starts == 0 && a.toReplace() != nil {
		w.starts, w.rank, w.optional = 1, short, true
	}
	if n := a.demanded(c); n > w.starts {
		w.starts, w.rank, w.optional = n, busy, c.serving() > 0
	}
	if n := a.unfree(c); a.restart == nil && w.starts == 0 && n > 0 {
		w.starts, w.rank, w.optional = n, ahead, true
	}
	if c.serving()+c.starting == 0 {
		w.rank = unserved
	}
	return w
}

// loading counts the processes that start and keep a processor busy.
func (p *Pool) loading(now time.Time, d *Decision) int {
	n := 0
	for _, q := range p.processes {
		if q.phase() == protocol.Starting && now.Before(q.since.Add(slowStart)) {
			d.wake(q.since.Add(slowStart))
			n++
		}
	}
	for _, a := range p.apps {
		if l := a.crew.Loading(now, slowStart); l > 0 {
			d.wake(now.Add(slowStart))
			n += l
		}
	}
	return n
}

func (a *app) spawn(now time.Time) protocol.SpawnRequest {
	if a.always { // a preloader of this generation has the code as it was
		a.newest++
		a.generation = a.newest
		a.pool.table.changed(a)
	}
	return a.spawnAs(now, a.running, a.generation)
}

// spawnAs starts a process of a generation.
func (a *app) spawnAs(now time.Time, config protocol.AppConfig, generation int) protocol.SpawnRequest {
	r := protocol.SpawnRequest{ID: a.pool.chance.ID(), App: a.config.Name, Generation: generation, Config: &config}
	q := a.pool.add(now, a, protocol.Process{
		ID: r.ID, App: r.App, Generation: r.Generation, State: protocol.Starting, StartedAt: now,
	}, stateSpawning)
	if !a.canary.has(q) {
		q.replaces = a.toReplace()
	}
	slog.Debug("process starts", "app", r.App, "id", r.ID, "generation", r.Generation)
	return r
}

// A Spawned is the outcome of a spawn: a process, an error, or neither, if the
// spawner went away and nothing came of it.
type Spawned struct {
	ID      string
	Process *protocol.Process
	Err     *protocol.SpawnError
}

// lostPause is the pause after a spawn that the spawner lost. It was no
// failure of the app.
const lostPause = 250 * time.Millisecond

// Spawned tells the outcome of a spawn.
func (p *Pool) Spawned(now time.Time, s Spawned) {
	q := p.processes[s.ID]
	if q == nil {
		for _, a := range p.apps {
			if a.crew.Spawned(now, s.ID, s.Process, s.Err) {
				return
			}
		}
		return
	}
	switch from := q.state; {
	case s.Process != nil && from == stateEnded:
		s.Process.State, s.Process.Exit = protocol.Exited, q.exit
		q.record = *s.Process
		q.step(now, eventAnswered)
		q.mourn(now, protocol.Ready, *s.Process) // it was, between two lists
	case s.Process != nil:
		if q.step(now, eventAnswered) { // else the list was sooner, and knows more
			q.update(now, *s.Process)
		}
	case !q.step(now, eventFailed):
	case from != stateSpawning && from != stateEnded: // we wanted it no more
	case s.Err != nil:
		q.failed(now, s.Err)
	case q.app.canary.has(q):
		q.app.canary.pause = now.Add(lostPause)
	default:
		q.app.backoff.pause(now)
		p.table.changed(q.app)
	}
}

// ready tells that a process serves.
func (q *process) ready(now time.Time) {
	if !q.step(now, eventServes) {
		return
	}
	record := q.record
	q.app.emit(now, protocol.Event{Event: protocol.EventAttached, Process: &record})
	slog.Debug("process ready", "app", q.app.config.Name, "pid", q.record.PID, "generation", q.record.Generation,
		"took", now.Sub(q.record.StartedAt).Round(time.Millisecond))
	q.app.startTook = now.Sub(q.began)
	if q.record.Generation == q.app.generation {
		q.app.backoff.succeed()
		if r := q.app.restart; r != nil {
			r.trial.failure = nil
		}
	}
	if worn := q.replaces; worn != nil && worn.phase() == protocol.Ready {
		if why := worn.wear(); why != "" {
			worn.drain(now, why)
		}
	}
	q.app.pool.table.changed(q.app)
}
