package pool

import (
	"fmt"
	"log/slog"
	"time"

	"passenger/lib/protocol"
)

const (
	// watchTime is how long a new generation is watched from the moment that
	// it serves alone.
	watchTime = time.Minute

	// fewest is how many responses are needed to judge a generation by.
	fewest = 10
)

// A watch takes a new generation back when it answers with too many errors.
// Meanwhile one process of the old generation is kept, without requests: it
// holds the release that the old generation runs.
type watch struct {
	rate  float64   // of errors that are too many; 0 means no watch
	until time.Time // zero until the new generation serves alone

	gone counts // of processes of the new generation that ended
}

// watched says that the new generation, which serves alone, was watched long
// enough, and lets go of the process that was kept.
func (p *Pool) watched(now time.Time, a *app, d *Decision) bool {
	w := &a.restart.watch
	if w.rate == 0 {
		return true
	}
	if w.until.IsZero() {
		w.until = now.Add(watchTime)
		a.restart.record.State, a.restart.record.WatchedUntil = protocol.RestartWatching, w.until
		slog.Info("new generation is watched", "app", a.config.Name, "generation", a.generation, "error_rate", w.rate)
	}
	if now.Before(w.until) {
		d.wake(w.until)
		return false
	}
	p.release(a)
	return true
}

// release lets the process go that was kept.
func (p *Pool) release(a *app) {
	for _, q := range a.processes {
		p.table.stale = p.table.stale || q.kept
		q.kept = false
	}
}

// judge takes the new generation back if its errors are too many and an old
// process is there to go back to. It reports whether it did.
func (p *Pool) judge(now time.Time, a *app) bool {
	w := a.restart.watch
	if w.rate == 0 {
		return false
	}
	n := w.gone
	for _, q := range a.processes {
		if q.record.Generation == a.generation {
			n.processed += q.traffic.processed
			n.errors += q.traffic.errors
		}
	}
	old := a.fallback()
	if n.processed < fewest || float64(n.errors) <= w.rate*float64(n.processed) || old == nil {
		return false
	}
	p.takeBack(now, a, old, &protocol.SpawnError{
		Category: protocol.CategoryErrors,
		Summary: fmt.Sprintf("%d of %d responses of generation %d were errors; watch_errors allows %g %%",
			n.errors, n.processed, a.generation, 100*w.rate),
		Advice: "The log of the app's processes and that of the proxy may say why.",
		App:    a.config.Name, Generation: a.generation, At: now, AppRoot: a.config.AppRoot,
		Phases: []protocol.Phase{}, Output: []string{},
	})
	return true
}

// fallback returns a process of the newest old generation, nil if there is
// none that could serve.
func (a *app) fallback() *process {
	var best *process
	for _, q := range a.processes {
		usable := q.phase == protocol.Ready || q.kept
		if usable && q.record.Generation != a.generation && (best == nil || q.record.Generation > best.record.Generation) {
			best = q
		}
	}
	return best
}

// takeBack makes the generation of old the present one again.
func (p *Pool) takeBack(now time.Time, a *app, old *process, err *protocol.SpawnError) {
	r := a.restart
	a.generation, a.running = old.record.Generation, r.before
	if old.kept {
		old.kept, old.inTable = false, 0
		p.enter(now, old, protocol.Ready)
	}
	p.table.stale = true
	p.end(now, a, protocol.RestartRolledBack, err)
	a.restart = &restart{want: r.want, before: r.before, undoing: true, record: protocol.Restart{
		Generation: a.generation, State: protocol.RestartRunning, Mode: modeRolling, BeganAt: now,
	}}
}
