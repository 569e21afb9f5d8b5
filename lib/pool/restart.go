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
	app    *app
	record protocol.Restart

	// want is how many processes the new generation is to have.
	want int

	// before is what the old generation was started with.
	before protocol.AppConfig

	trial trial

	// proven says that the processes which serve stood their trial; accepted, that
	// the generation did.
	proven, accepted bool

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
	WatchErrors *float64

	// Canary has a share of the clients get the new processes first; see
	// [Pool.Canary].
	Canary Share

	Cause string // see [protocol.Restart]
}

// restartTries is how many starts may fail in a row after the new generation
// showed that it can start. Then the restart ends with the processes it has.
const restartTries = 3

// Restart begins to replace the app's processes by ones with these settings,
// byApp those of them that only the app's own directory has, and returns their
// generation. A restart that is under way goes on to the newer generation. The
// end is told in [Decision.Restarts]. It reports whether there is such an app.
func (p *Pool) Restart(now time.Time, c protocol.AppConfig, byApp []string, how How) (generation int, ok bool) {
	a := p.apps[c.Name]
	if a == nil || a.removed || a.held {
		return 0, false
	}
	a.config, a.byApp = c, byApp
	a.begin(now, how)
	return a.generation, true
}

func (a *app) begin(now time.Time, how How) {
	a.newest++
	a.beginAs(now, how, a.newest)
}

// beginAs begins a restart to a generation, which a canary may have processes of;
// the canary ends.
func (a *app) beginAs(now time.Time, how How, generation int) {
	c := a.census()
	if n := a.canary; n != nil {
		if a.canary = nil; n.record.Generation != generation {
			n.dismiss(now)
		}
	}
	r := &restart{app: a, want: c.serving() + c.starting, before: a.running, trial: trialOf(a, how, now)}
	r.record = protocol.Restart{Generation: generation, State: protocol.RestartRunning, Mode: modeRolling, Cause: how.Cause}
	if how.Blocking {
		r.record.Mode = modeBlocking
	}
	if former := a.restart; former != nil {
		r.want = former.want
		if c.ready == 0 {
			r.before = former.before
		}
		a.release(now)
	}
	r.want = min(max(r.want, a.least()), a.most())
	a.generation, a.running, a.restart = generation, a.config, r
	a.backoff.forgive()
	a.crew.Forgive()
	a.pool.table.changed(a)
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
func (a *app) roll(now time.Time, d *Decision) {
	for _, q := range a.processes {
		if q.phase() == protocol.Starting && q.record.Generation != a.generation && !a.canary.has(q) {
			q.drain(now, "restart")
		}
	}
	c := a.census()
	if a.restart == nil {
		if c.old == 0 && a.fallback() == nil {
			return
		}
		a.resume(now, c)
	}
	r := a.restart
	if r.record.BeganAt.IsZero() {
		r.record.BeganAt = now
	}
	a.restart.stand(now, c)
	v := a.restart.judge(now, d)
	if v.refuted() {
		a.restart.takeBack(now, v, d)
		return
	}
	a.restart.replace(now, v, d)
	if c = a.census(); r.blocking() && c.old+c.leaving == 0 && !r.clearing {
		r.clearing = true
		d.Clear = append(d.Clear, Clear{App: a.config.Name, Before: a.generation})
	}
	if v != accepted || c.ready < r.want {
		return
	}
	a.release(now)
	if c = a.census(); c.old+c.leaving == 0 {
		a.history = history{}
		a.history.add(now, a.restart.evidence(now, d).after)
		a.restart.end(now, protocol.RestartDone, nil)
	}
}

// resume goes on with a restart that a former pool was in the midst of.
func (a *app) resume(now time.Time, c census) {
	a.restart = &restart{app: a, want: min(max(c.serving(), a.least()), a.most()), before: a.running}
	a.restart.trial = trialOf(a, How{WatchErrors: a.config.WatchErrors}, now)
	a.restart.record = protocol.Restart{
		Generation: a.generation, State: protocol.RestartRunning, Mode: modeRolling, Cause: "pool restarted",
	}
	a.pool.table.changed(a)
}

// replace takes old processes out of service so far as new ones take their
// place. They are kept until the new generation is accepted, as many as there
// is room for, the last one in any case.
func (r *restart) replace(now time.Time, v verdict, d *Decision) {
	a, c := r.app, r.app.census()
	surplus := c.old - max(r.want-r.settled(now, d), 0)
	inPlace := false
	switch {
	case r.blocking():
		surplus = c.old
	case surplus <= 0 && a.inPlace(now, c):
		if v != accepted && c.ready > 0 && r.trial.keepsAll() {
			return // see heldBack
		}
		if a.unkeep(now) {
			return
		}
		surplus, inPlace = 1, true
	}
	for _, q := range a.oldFirst()[:max(0, min(surplus, c.old))] {
		fallbacks := a.fallbacks()
		last := len(fallbacks) == 1 && fallbacks[0] == q
		e := eventDrain
		switch {
		case v == accepted || c.ready == 0 || r.blocking():
		case inPlace && last:
			return
		case last || !inPlace && r.trial.keepsAll():
			e = eventKeep
		}
		q.withdraw(now, e, "restart")
	}
}

// end ends a restart, with the new generation or the old one, and tells.
func (r *restart) end(now time.Time, state string, err *protocol.SpawnError) {
	a := r.app
	a.restart = nil
	a.pool.table.changed(a)
	if r.undoing {
		slog.Info("old generation is back", "app", a.config.Name, "generation", a.generation)
		return
	}
	r.record.State, r.record.EndedAt, r.record.Error = state, now, err
	a.last = &r.record
	c := a.census()
	o := Outcome{
		App: a.config.Name, Generation: r.record.Generation, Err: err, Serving: c.serving() > 0,
		TakenBack: state == protocol.RestartRolledBack,
	}
	a.pool.outcomes.restarts = append(a.pool.outcomes.restarts, o)
	if err == nil {
		slog.Info("restart done", "app", o.App, "generation", o.Generation)
	} else {
		a.emit(now, protocol.Event{Event: protocol.EventDeployFailed, Error: err})
		slog.Error("restart failed", "app", o.App, "generation", o.Generation, "state", state, "err", err.Summary,
			"serving", a.generation, "old_serves", o.Serving)
	}
}

// settleTime is how long a new process of a busy app serves beside the old ones
// before it takes the place of one, and the first new ones of an app that is
// used. The first requests of a process are slow, with most frameworks; those
// behind them go to the old ones meanwhile. And a release that is no good shows
// it while all of the old generation is there.
const settleTime = time.Second

// settled counts the processes of the new generation that can take the place of
// old ones.
func (r *restart) settled(now time.Time, d *Decision) int {
	a := r.app
	n, t := 0, &r.trial
	busy := !r.undoing && (a.busy() || t.length > 0 && t.before.processed >= fewest && !a.seasoned(now))
	for _, q := range a.processes {
		if q.phase() != protocol.Ready || q.record.Generation != a.generation {
			continue
		}
		if settled := q.since.Add(settleTime); busy && now.Before(settled) {
			d.wake(settled)
			if a.census().ready < r.want {
				t.settled = settleTime
			}
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
func (a *app) inPlace(now time.Time, c census) bool {
	return a.crowded() && a.restart.lacks(c) > 0 && c.starting+c.leaving == 0 && c.old > 0 && !now.Before(a.backoff.next())
}

// oldFirst returns the ready processes of other generations: first those that
// were taken back, then the oldest generation, and in it the least busy.
func (a *app) oldFirst() []*process {
	var old []*process
	for _, q := range a.processes {
		if q.phase() == protocol.Ready && q.record.Generation != a.generation && !a.canary.has(q) {
			old = append(old, q)
		}
	}
	slices.SortStableFunc(old, func(x, y *process) int {
		return cmp.Or(refutedFirst(x, y), cmp.Compare(x.record.Generation, y.record.Generation), cmp.Compare(x.traffic.inFlight, y.traffic.inFlight), cmp.Compare(x.traffic.upgraded, y.traffic.upgraded))
	})
	return old
}

func refutedFirst(x, y *process) int {
	switch {
	case x.refuted == y.refuted:
		return 0
	case x.refuted:
		return -1
	}
	return 1
}
