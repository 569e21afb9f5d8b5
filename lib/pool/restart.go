package pool

import (
	"cmp"
	"log/slog"
	"slices"
	"time"

	"passenger/lib/protocol"
)

// A restart replaces an app's processes by ones of a new generation. Each new
// one that is ready takes the place of an old one; where there is no room for
// both, the old one goes first.
type restart struct {
	record protocol.Restart

	// want is how many processes the new generation is to have.
	want int

	// before is what the old generation was started with.
	before protocol.AppConfig

	watch watch

	// clearing says that the preloaders of a blocking restart's old generations
	// are being stopped: they have loaded the app, too. cleared, that they are
	// gone.
	clearing, cleared bool

	// undoing says that it brings an old generation back, whose restart was
	// recorded when it was done.
	undoing bool
}

func (r *restart) blocking() bool { return r.record.Mode == modeBlocking }

// Modes of a restart.
const (
	modeRolling  = "rolling"
	modeBlocking = "blocking"
)

// How says how a restart is to go.
type How struct {
	// Blocking stops the old processes before the first new one starts.
	Blocking bool

	// WatchErrors is the app's setting of that name for this restart.
	WatchErrors float64

	Cause string // see [protocol.Restart]
}

// restartTries is how many starts may fail in a row after the new generation
// showed that it can start. Then the restart ends with the processes it has.
const restartTries = 3

// Restart begins to replace the app's processes by ones with these settings,
// as for [Pool.Put], and returns their generation. A restart that is under way
// goes on to the newer generation. The end is told in [Decision.Restarts]. It
// reports whether there is such an app.
func (p *Pool) Restart(c protocol.AppConfig, how How, byApp ...string) (generation int, ok bool) {
	a := p.apps[c.Name]
	if a == nil || a.removed || a.held {
		return 0, false
	}
	a.config, a.byApp = c, byApp
	p.begin(a, how)
	return a.generation, true
}

func (p *Pool) begin(a *app, how How) {
	c := a.census()
	a.newest++
	r := &restart{want: c.serving() + c.starting, before: a.running, watch: watch{rate: how.WatchErrors}}
	r.record = protocol.Restart{Generation: a.newest, State: protocol.RestartRunning, Mode: modeRolling, Cause: how.Cause}
	if how.Blocking {
		r.record.Mode = modeBlocking
	}
	if former := a.restart; former != nil {
		r.want = former.want
		if c.ready == 0 {
			r.before = former.before
		}
		p.release(a)
	}
	r.want = min(max(r.want, a.least()), p.most(a))
	a.generation, a.running, a.restart = a.newest, a.config, r
	a.backoff.forgive()
	p.table.stale = true
	slog.Info("restart begins", "app", a.config.Name, "generation", a.generation, "processes", r.want,
		"mode", r.record.Mode, "cause", how.Cause)
}

// lacks is how many processes are to be started for the restart.
func (r *restart) lacks(c census) int {
	if r.blocked(c) {
		return 0
	}
	return max(r.want-c.ready-c.starting, 0)
}

// blocked says that old processes have to be gone first.
func (r *restart) blocked(c census) bool {
	return r.blocking() && (c.old+c.leaving > 0 || !r.cleared)
}

// A Clear is the preloaders of an app to stop, those of generations before one.
// That they are gone comes back as [Pool.Cleared].
type Clear struct {
	App    string
	Before int
}

// Cleared tells that preloaders are gone.
func (p *Pool) Cleared(c Clear) {
	if a := p.apps[c.App]; a != nil && a.restart != nil && a.restart.record.Generation == c.Before {
		a.restart.cleared = true
	}
}

// roll takes old processes out of service so far as new ones replace them, and
// ends a restart that is done.
func (p *Pool) roll(now time.Time, a *app, d *Decision) {
	for _, q := range a.processes {
		if q.phase == protocol.Starting && q.record.Generation != a.generation {
			p.drain(now, q, "restart")
		}
	}
	c := a.census()
	if a.restart == nil {
		if c.old == 0 {
			return
		}
		// A former pool was in the midst of it.
		a.restart = &restart{want: min(max(c.serving(), a.least()), p.most(a)), before: a.running}
		a.restart.record = protocol.Restart{
			Generation: a.generation, State: protocol.RestartRunning, Mode: modeRolling, Cause: "pool restarted",
		}
	}
	r := a.restart
	if r.record.BeganAt.IsZero() {
		r.record.BeganAt = now
	}
	if p.judge(now, a) {
		return
	}
	surplus := c.old - max(r.want-p.settled(now, a, d), 0)
	switch {
	case r.blocking():
		surplus = c.old
	case surplus <= 0 && p.inPlace(now, a, c):
		surplus = 1
	}
	for _, q := range a.oldFirst()[:max(0, min(surplus, c.old))] {
		q.kept = r.watch.rate > 0 && c.ready >= r.want && a.census().old == 1
		p.drain(now, q, "restart")
	}
	if c = a.census(); r.blocking() && c.old+c.leaving == 0 && !r.clearing {
		r.clearing = true
		d.Clear = append(d.Clear, Clear{App: a.config.Name, Before: a.generation})
	}
	if c.ready >= r.want && c.old+c.leaving == 0 && p.watched(now, a, d) {
		p.end(now, a, protocol.RestartDone, nil)
	}
}

// end ends a restart, with the new generation or the old one, and tells.
func (p *Pool) end(now time.Time, a *app, state string, err *protocol.SpawnError) {
	r := a.restart
	a.restart = nil
	if r.undoing {
		slog.Info("old generation is back", "app", a.config.Name, "generation", a.generation)
		return
	}
	r.record.State, r.record.EndedAt, r.record.Error = state, now, err
	a.last = &r.record
	c := a.census()
	o := Outcome{App: a.config.Name, Generation: r.record.Generation, Err: err, Serving: c.serving() > 0}
	p.outcomes.restarts = append(p.outcomes.restarts, o)
	if err == nil {
		slog.Info("restart done", "app", o.App, "generation", o.Generation)
	} else {
		p.emit(now, a, protocol.Event{Event: protocol.EventDeployFailed, Error: err})
		slog.Error("restart failed", "app", o.App, "generation", o.Generation, "state", state, "err", err.Summary,
			"serving", a.generation, "old_serves", o.Serving)
	}
}

// settleTime is how long a new process of a busy app serves beside the old ones
// before it takes the place of one. The first requests of a process are slow,
// with most frameworks; those behind them go to the old ones meanwhile.
const settleTime = time.Second

// settled counts the processes of the new generation that can take the place of
// old ones.
func (p *Pool) settled(now time.Time, a *app, d *Decision) int {
	n, busy := 0, a.busy()
	for _, q := range a.processes {
		if q.phase != protocol.Ready || q.record.Generation != a.generation {
			continue
		}
		if settled := q.since.Add(settleTime); busy && now.Before(settled) {
			d.wake(settled)
			continue
		}
		n++
	}
	return n
}

// busy says that every old process has a request.
func (a *app) busy() bool {
	old := a.oldFirst()
	return len(old) > 0 && !slices.ContainsFunc(old, func(q *process) bool { return q.traffic.idle() })
}

// inPlace says that an old process has to make room for a new one.
func (p *Pool) inPlace(now time.Time, a *app, c census) bool {
	return p.crowded(a) && a.restart.lacks(c) > 0 && c.starting+c.leaving == 0 && c.old > 0 && !now.Before(a.backoff.until)
}

// oldFirst returns the ready processes of other generations, the oldest
// generation first and in it the least busy.
func (a *app) oldFirst() []*process {
	var old []*process
	for _, q := range a.processes {
		if q.phase == protocol.Ready && q.record.Generation != a.generation {
			old = append(old, q)
		}
	}
	slices.SortStableFunc(old, func(x, y *process) int {
		return cmp.Or(cmp.Compare(x.record.Generation, y.record.Generation), cmp.Compare(x.traffic.inFlight, y.traffic.inFlight), cmp.Compare(x.traffic.upgraded, y.traffic.upgraded))
	})
	return old
}

// setback decides what a start that failed means for the restart that it was
// made for. A generation that never started leaves the old one serving.
func (p *Pool) setback(now time.Time, a *app, err *protocol.SpawnError) {
	c := a.census()
	if c.ready > 0 {
		if a.backoff.failures >= restartTries {
			a.restart.want = c.ready
		}
		return
	}
	if old := a.oldFirst(); len(old) > 0 {
		a.generation, a.running = old[len(old)-1].record.Generation, a.restart.before
		a.backoff.refusing = false
		p.table.stale = true
	}
	p.end(now, a, protocol.RestartFailed, err)
}
