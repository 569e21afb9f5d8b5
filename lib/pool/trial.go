package pool

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	"passenger/lib/pool/side"
	"passenger/lib/protocol"
)

const (
	// trialTime is how long a trial lasts unless the app's settings say.
	trialTime = 3 * time.Second

	// watchTime is how long it lasts at least where a share of errors is set.
	watchTime = time.Minute

	// freeTrialKills processes may be ended by SIGKILL during a trial: that
	// mostly comes from outside.
	freeTrialKills = 1
)

// A trial is what a new generation has to stand before it is accepted. Processes
// of the old generation are kept until then: they are what the app goes back to,
// and hold the release that they run.
type trial struct {
	rule   rule
	length time.Duration

	// until is when it is over, zero until as many processes serve as are to.
	until time.Time

	failure *protocol.SpawnError // of the last start, nil if that succeeded
	death   *protocol.SpawnError // of a process that served, nil if none died
	kills   int

	// settled is how long the new generation settled without need. It counts as
	// part of the trial, which must not take longer for it.
	settled time.Duration

	before counts // of the old generation: in the minute before, and since
	gone   counts // of processes of the new one that ended
}

// trialOf is the trial of a restart that is to go like how.
func trialOf(a *app, how How, now time.Time) trial {
	t := trial{rule: rule{rate: how.WatchErrors}, length: trialTime, before: a.history.sum(now)}
	if a.config.TrialTime != nil {
		t.length = seconds(*a.config.TrialTime)
	}
	if t.watches() {
		t.length = max(t.length, watchTime)
	}
	if a.always {
		t.length = 0 // each request may bring another generation
	}
	if t.length == 0 {
		t.rule.rate = new(0.0)
	}
	return t
}

// watches says that a share of errors is set.
func (t *trial) watches() bool { return t.rule.rate != nil && *t.rule.rate > 0 }

// stand starts the time of the trial once the new generation serves, as far as
// there is room for it.
func (r *restart) stand(now time.Time, c census) {
	a, t := r.app, &r.trial
	if !t.until.IsZero() || c.ready < r.want && !r.heldBack(c) {
		return
	}
	t.until = now.Add(max(t.length-t.settled, 0))
	if t.length > 0 && r.want > 0 {
		r.record.State, r.record.WatchedUntil = protocol.RestartWatching, t.until
		slog.Info("new generation is on trial", "app", a.config.Name, "generation", a.generation, "for", t.length)
	}
}

// heldBack says that the new generation serves wherever there is room, and has
// to be proven before old processes make more: one that is taken back then finds
// them all. None of them could be started again where a deploy has changed the
// files in place. Where a share of errors is set, which takes a minute, only the
// last old process is held back.
func (r *restart) heldBack(c census) bool {
	a := r.app
	old := len(a.fallbacks())
	return !r.blocking() && c.ready > 0 && c.starting+c.leaving == 0 && a.crowded() &&
		(old == 1 || old > 1 && r.trial.keepsAll())
}

// judge says what becomes of the new generation.
func (r *restart) judge(now time.Time, d *Decision) verdict {
	if r.undoing {
		return accepted // it was, before
	}
	t := &r.trial
	e := r.evidence(now, d)
	v := t.rule.judge(e)
	r.proven, r.accepted = r.proven || e.stage == proven, r.accepted || v == accepted
	if v == undecided && t.death != nil {
		t.death, t.until = nil, time.Time{} // there is nothing to go back to; the rest goes on
	}
	return v
}

func (r *restart) evidence(now time.Time, d *Decision) evidence {
	a := r.app
	c, t := a.census(), &r.trial
	e := evidence{
		stage: someServe, fallback: a.fallback() != nil, failed: t.failure != nil, died: t.death != nil,
		before: t.before, after: t.gone, muster: r.muster(),
	}
	for _, q := range a.processes {
		if q.record.Generation == a.generation {
			e.after.add(q.traffic.counts)
			e.stuck = e.stuck || q.traffic.inFlight > 0
		}
	}
	switch {
	case r.want > 0 && c.ready == 0:
		e.stage = noneServes
	case t.until.IsZero() || c.ready < r.want && !r.heldBack(c):
	case now.Before(t.until):
		d.wake(t.until)
	default:
		e.stage = proven
	}
	return e
}

// lost notes that a process of the new generation ended by itself after it had
// served.
func (t *trial) lost(exit *protocol.Exit, why *protocol.SpawnError) {
	t.until = time.Time{}
	if exit != nil && exit.Signal == "SIGKILL" && !exit.OutOfMemory {
		if t.kills++; t.kills <= freeTrialKills {
			return
		}
	}
	t.death = why
}

// fallbacks are the old processes that serve or could again. Those of a
// generation that was taken back are, only where there are no others.
func (a *app) fallbacks() []*process {
	var old, refuted []*process
	for _, q := range a.processes {
		switch {
		case q.phase() != protocol.Ready && q.state != stateKept || q.record.Generation == a.generation || a.canary.has(q):
		case q.refuted:
			refuted = append(refuted, q)
		default:
			old = append(old, q)
		}
	}
	if len(old) == 0 {
		return refuted
	}
	return old
}

// fallback returns a process of the newest old generation, nil if there is
// none that could serve.
func (a *app) fallback() *process {
	var best *process
	for _, q := range a.fallbacks() {
		if best == nil || q.record.Generation > best.record.Generation {
			best = q
		}
	}
	return best
}

// keepsAll says that all old processes are kept where there is room: for so
// short a time they cost little, and none has to be started if the app goes
// back to them.
func (t *trial) keepsAll() bool { return t.length > 0 && !t.watches() }

// unkeep lets one of the processes go that are kept, for room, unless it is the
// last of the old ones. It reports whether it did.
func (a *app) unkeep(now time.Time) bool {
	old := a.fallbacks()
	i := slices.IndexFunc(old, func(q *process) bool { return q.state == stateKept })
	return i >= 0 && len(old) > 1 && old[i].step(now, eventRelease)
}

// takeBack ends the trial of a generation that did not stand it: the one before
// serves again, if a process of it is left.
func (r *restart) takeBack(now time.Time, v verdict, d *Decision) {
	a, old := r.app, r.app.fallback()
	err, state := r.ground(now, v, d), protocol.RestartRolledBack
	if v == unstarted || old == nil {
		state = protocol.RestartFailed
	}
	if old == nil {
		r.end(now, state, err)
		return
	}
	for _, q := range a.processes {
		q.refuted = q.refuted || q.record.Generation == a.generation
	}
	a.generation, a.running = old.record.Generation, r.before
	for _, q := range a.processes {
		if q.state == stateKept && q.record.Generation == a.generation {
			q.step(now, eventRestore)
		}
	}
	a.backoff.forgive()
	r.end(now, state, err)
	a.restart = &restart{app: a, want: r.want, before: r.before, undoing: true, record: protocol.Restart{
		Generation: a.generation, State: protocol.RestartRunning, Mode: modeRolling, BeganAt: now,
	}}
}

// ground is why a generation is taken back.
func (r *restart) ground(now time.Time, v verdict, d *Decision) *protocol.SpawnError {
	a, t := r.app, &r.trial
	switch v {
	case unstarted:
		return advised(t.failure)
	case dead:
		return advised(t.death)
	case crippled:
		_, err := a.crew.Tried(side.Trial{Config: a.running, Generation: a.generation})
		return err
	}
	e := r.evidence(now, d)
	err := &protocol.SpawnError{
		Category: protocol.CategoryErrors, Advice: "The log of the app's processes and that of the proxy may say why.",
		App: a.config.Name, Generation: a.generation, At: now, AppRoot: a.config.AppRoot,
		Phases: []protocol.Phase{}, Output: []string{},
	}
	switch {
	case v == stalled:
		err.Summary = fmt.Sprintf("generation %d answered no request in %v; before, an answer took %s",
			a.generation, t.length, briefly(seconds(e.before.latency())))
	case t.watches():
		err.Summary = fmt.Sprintf("%d of %d responses of generation %d were errors; watch_errors allows %g %%",
			e.after.errors, e.after.processed, a.generation, 100**t.rule.rate)
	default:
		err.Summary = fmt.Sprintf("%d of %d responses of generation %d were errors; of those before it, %d of %d",
			e.after.errors, e.after.processed, a.generation, e.before.errors, e.before.processed)
		err.Advice += " Where such errors are meant, restart with --watch-errors=0."
	}
	return err
}

// briefly is a short time for people: the proxies measure to some milliseconds.
func briefly(d time.Duration) string {
	if d < 10*time.Millisecond {
		return "less than 10ms"
	}
	return d.Round(time.Millisecond).String()
}

// release lets the processes go that were kept.
func (a *app) release(now time.Time) {
	for _, q := range a.processes {
		q.step(now, eventRelease)
	}
}

// seasoned says that a process of the new generation serves for a while.
func (a *app) seasoned(now time.Time) bool {
	return slices.ContainsFunc(a.processes, func(q *process) bool {
		return q.phase() == protocol.Ready && q.record.Generation == a.generation && !now.Before(q.since.Add(settleTime))
	})
}
