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
	// want is how many processes the new generation is to have.
	want int

	// blocking stops the old ones before the first new one starts.
	blocking bool

	// before is what the old generation was started with.
	before protocol.AppConfig
}

// restartTries is how many starts may fail in a row after the new generation
// showed that it can start. Then the restart ends with the processes it has.
const restartTries = 3

// Restart begins to replace the app's processes by ones with these settings,
// as for [Pool.Put], and returns their generation. A restart that is under way
// goes on to the newer generation. The end is told in [Decision.Restarts]. It
// reports whether there is such an app.
func (p *Pool) Restart(c protocol.AppConfig, blocking bool) (generation int, ok bool) {
	a := p.apps[c.Name]
	if a == nil || a.removed || a.held {
		return 0, false
	}
	a.config = c
	p.begin(a, blocking)
	return a.generation, true
}

func (p *Pool) begin(a *app, blocking bool) {
	c := a.census()
	r := &restart{want: c.serving() + c.starting, blocking: blocking, before: a.running}
	if former := a.restart; former != nil {
		r.want = former.want
		if c.ready == 0 {
			r.before = former.before
		}
	}
	r.want = min(max(r.want, a.least()), p.most(a))
	a.newest++
	a.generation, a.running, a.restart = a.newest, a.config, r
	a.backoff.forgive()
	p.table.stale = true
	slog.Info("restart begins", "app", a.config.Name, "generation", a.generation, "processes", r.want, "blocking", blocking)
}

// lacks is how many processes are to be started for the restart.
func (r *restart) lacks(c census) int {
	if r.blocked(c) {
		return 0
	}
	return max(r.want-c.ready-c.starting, 0)
}

// blocked says that old processes have to be gone first.
func (r *restart) blocked(c census) bool { return r.blocking && c.old+c.leaving > 0 }

// roll takes old processes out of service so far as new ones replace them, and
// ends a restart that is done.
func (p *Pool) roll(now time.Time, a *app) {
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
	}
	r := a.restart
	surplus := c.old - max(r.want-c.ready, 0)
	switch {
	case r.blocking:
		surplus = c.old
	case surplus <= 0 && p.inPlace(now, a, c):
		surplus = 1
	}
	for _, q := range a.oldFirst() {
		if surplus--; surplus < 0 {
			break
		}
		p.drain(now, q, "restart")
	}
	if c.ready >= r.want && c.old+c.leaving == 0 {
		a.restart = nil
		p.outcomes.restarts = append(p.outcomes.restarts, Outcome{App: a.config.Name, Generation: a.generation, Serving: c.ready > 0})
		slog.Info("restart done", "app", a.config.Name, "generation", a.generation)
	}
}

// inPlace says that an old process has to make room for a new one.
func (p *Pool) inPlace(now time.Time, a *app, c census) bool {
	full := len(p.processes) >= p.limits.Processes || len(a.processes) >= p.most(a)
	return full && a.restart.lacks(c) > 0 && c.starting+c.leaving == 0 && c.old > 0 && !now.Before(a.backoff.until)
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
		return cmp.Or(cmp.Compare(x.record.Generation, y.record.Generation), cmp.Compare(x.traffic.inFlight, y.traffic.inFlight))
	})
	return old
}

// setback decides what a start that failed means for the restart that it was
// made for. A generation that never started leaves the old one serving.
func (p *Pool) setback(a *app, err *protocol.SpawnError) {
	c := a.census()
	if c.ready > 0 {
		if a.backoff.failures >= restartTries {
			a.restart.want = c.ready
		}
		return
	}
	o := Outcome{App: a.config.Name, Generation: a.generation, Err: err, Serving: c.old > 0}
	if c.old > 0 {
		old := a.oldFirst()
		a.generation, a.running = old[len(old)-1].record.Generation, a.restart.before
		a.backoff.refusing = false
		p.table.stale = true
	}
	a.restart = nil
	p.outcomes.restarts = append(p.outcomes.restarts, o)
	slog.Error("restart failed", "app", o.App, "generation", o.Generation, "serving", a.generation, "old_serves", o.Serving)
}
