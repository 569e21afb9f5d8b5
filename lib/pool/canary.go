package pool

import (
	"fmt"
	"log/slog"
	"math"
	"time"

	"passenger/lib/protocol"
)

const modeCanary = "canary"

// A canary is a new generation beside the one that serves, which goes on as if
// there was none. Some processes of the new one get a share of the clients for a
// while. They are judged like a generation on trial. If they stand it the app
// restarts to that generation; else they go.
type canary struct {
	app    *app
	record protocol.Restart
	config protocol.AppConfig
	byApp  []string
	how    How
	trial  trial
	pause  time.Time // no start before

	// order is what a person decided: accepted or aborted, else undecided.
	order verdict
}

// A Share says which clients a canary gets, and for how long.
type Share struct {
	Of     float64 // the share of clients, over 0 and under 1
	For    time.Duration
	Sticky bool // a client stays with its generation, by a cookie
}

// enoughCanary is how many answers of each generation say how fast it is.
const enoughCanary = 20

// Canary has a share of the clients get processes with new settings; byApp and how
// are as for [Pool.Restart]. An app that nothing serves, or that a restart is under
// way for, has no canary.
func (p *Pool) Canary(now time.Time, c protocol.AppConfig, byApp []string, how How) (generation int, err error) {
	a := p.apps[c.Name]
	switch {
	case a == nil || a.removed || a.held:
		return 0, unknownApp(c.Name)
	case a.restart != nil || a.canary != nil:
		return 0, conflict(fmt.Sprintf("app %q restarts already", c.Name), "wait for its end, or end its canary by --promote or --abort")
	case c.RestartSurge != nil && *c.RestartSurge == 0:
		return 0, conflict(fmt.Sprintf("the restart_surge of app %q is 0, and a canary is a process over the maximum", c.Name), "restart it without --canary")
	case a.always || a.census().serving() == 0:
		return 0, conflict(fmt.Sprintf("app %q has no process that serves, beside which a canary could be tried", c.Name), "restart it without --canary")
	}
	a.newest++
	n := &canary{app: a, config: c, byApp: byApp, how: how}
	n.trial = trial{rule: rule{rate: how.WatchErrors, canary: true}, length: how.Canary.For, before: a.history.sum(now)}
	n.record = protocol.Restart{
		Generation: a.newest, State: protocol.RestartRunning, Mode: modeCanary, Share: how.Canary.Of, Cause: how.Cause, BeganAt: now,
	}
	a.canary = n
	p.table.changed(a)
	slog.Info("canary begins", "app", c.Name, "generation", a.newest, "share", how.Canary.Of, "for", how.Canary.For)
	return a.newest, nil
}

// Decide tells what a person decided of an app's canary: that its generation is
// promoted, or that it goes.
func (p *Pool) DecideCanary(name string, promote bool) error {
	a := p.apps[name]
	switch {
	case a == nil || a.removed:
		return unknownApp(name)
	case a.canary == nil:
		return conflict(fmt.Sprintf("app %q has no canary", name), "passenger-status shows how its last restart ended")
	case promote && a.canary.ready() == 0:
		return conflict(fmt.Sprintf("no process of the canary of app %q serves yet", name), "passenger-status shows why")
	}
	if a.canary.order = aborted; promote {
		a.canary.order = accepted
	}
	return nil
}

func unknownApp(name string) error {
	return &protocol.Error{Code: protocol.CodeUnknownApp, Message: fmt.Sprintf("unknown app %q", name)}
}

// has says that a process is one of the canary, of which there may be none.
func (n *canary) has(q *process) bool { return n != nil && q.record.Generation == n.record.Generation }

func (n *canary) ready() (ready int) {
	for _, q := range n.app.processes {
		if n.has(q) && q.phase() == protocol.Ready {
			ready++
		}
	}
	return ready
}

// try moves an app's canary on, if it has one.
func (a *app) try(now time.Time, d *Decision) {
	n := a.canary
	if n == nil {
		return
	}
	v := n.order
	if v == undecided {
		v = n.trial.rule.judge(n.evidence(now, d))
	}
	switch {
	case v == accepted:
		a.config, a.byApp = n.config, n.byApp
		slog.Info("canary is promoted", "app", a.config.Name, "generation", n.record.Generation)
		a.beginAs(now, n.how, n.record.Generation)
	case v.refuted():
		n.takeBack(now, v, d)
	default:
		n.fill(now, d)
	}
}

// evidence is what is known of the canary, with the other processes in the place
// of a generation before.
func (n *canary) evidence(now time.Time, d *Decision) evidence {
	t := &n.trial
	e := evidence{
		stage: noneServes, fallback: true, failed: t.failure != nil, died: t.death != nil, before: t.before, after: t.gone,
	}
	for _, q := range n.app.processes {
		if n.has(q) {
			e.after.add(q.traffic.counts)
			e.stuck = e.stuck || q.traffic.inFlight > 0
		}
	}
	if n.ready() == 0 {
		return e
	}
	e.stage = someServe
	if t.until.IsZero() {
		t.until = now.Add(t.length)
		n.record.State, n.record.WatchedUntil = protocol.RestartWatching, t.until
		n.app.pool.table.changed(n.app)
		slog.Info("canary serves", "app", n.app.config.Name, "generation", n.record.Generation, "until", t.until)
	}
	if now.Before(t.until) {
		d.wake(t.until)
	} else {
		e.stage = proven
	}
	return e
}

// fill starts the processes that the canary's share is worth, at least one.
func (n *canary) fill(now time.Time, d *Decision) {
	a := n.app
	has := 0
	for _, q := range a.processes {
		if n.has(q) && !q.state.leaves() {
			has++
		}
	}
	want := max(1, int(math.Ceil(n.record.Share*float64(a.census().serving()))))
	if has >= want || !a.pool.spawner.up {
		return
	}
	if now.Before(n.pause) {
		d.wake(n.pause)
		return
	}
	for ; has < want && !a.poolFull() && a.pool.loading(now, d) < a.pool.limits.Starting; has++ {
		d.Start = append(d.Start, a.spawnAs(now, n.config, n.record.Generation))
	}
}

// takeBack ends the canary: the others serve on.
func (n *canary) takeBack(now time.Time, v verdict, d *Decision) {
	a, err := n.app, n.ground(now, v, d)
	n.record.State, n.record.EndedAt, n.record.Error = protocol.RestartRolledBack, now, err
	if v == unstarted {
		n.record.State = protocol.RestartFailed
	}
	n.dismiss(now)
	a.canary, a.last = nil, &n.record
	a.pool.table.changed(a)
	a.pool.outcomes.restarts = append(a.pool.outcomes.restarts, Outcome{
		App: a.config.Name, Generation: n.record.Generation, Err: err, Serving: a.census().serving() > 0, TakenBack: v != unstarted,
	})
	a.emit(now, protocol.Event{Event: protocol.EventDeployFailed, Error: err})
	slog.Error("canary is taken back", "app", a.config.Name, "generation", n.record.Generation, "err", err.Summary)
}

// dismiss has the canary's processes go.
func (n *canary) dismiss(now time.Time) {
	for _, q := range n.app.processes {
		if n.has(q) {
			q.refuted = true
			q.drain(now, "canary ended")
		}
	}
}

// ground is why the canary is taken back.
func (n *canary) ground(now time.Time, v verdict, d *Decision) *protocol.SpawnError {
	switch v {
	case unstarted:
		return advised(n.trial.failure)
	case dead:
		return advised(n.trial.death)
	}
	e, g := n.evidence(now, d), n.record.Generation
	err := &protocol.SpawnError{
		Category: protocol.CategoryErrors, Advice: "The log of the app's processes and that of the proxy may say why.",
		App: n.app.config.Name, Generation: g, At: now, AppRoot: n.config.AppRoot, Phases: []protocol.Phase{}, Output: []string{},
	}
	switch v {
	case aborted:
		err.Summary, err.Advice = fmt.Sprintf("the canary of generation %d was ended by a command", g), ""
	case slow:
		err.Summary = fmt.Sprintf("%d responses of generation %d took %s on average; those of the others %s",
			e.after.processed, g, briefly(seconds(e.after.latency())), briefly(seconds(e.before.latency())))
	case stalled:
		err.Summary = fmt.Sprintf("generation %d answered no request in %v", g, n.trial.length)
	default:
		err.Summary = fmt.Sprintf("%d of %d responses of generation %d were errors; of those of the others, %d of %d",
			e.after.errors, e.after.processed, g, e.before.errors, e.before.processed)
	}
	return err
}

// route is what proxies are told of the canary, nil if there is none.
func (n *canary) route() *protocol.Canary {
	if n == nil {
		return nil
	}
	return &protocol.Canary{
		Generation: n.record.Generation, Share: n.record.Share, Sticky: n.how.Canary.Sticky,
		For: n.trial.length.Seconds(), Until: n.trial.until, BeganAt: n.record.BeganAt,
	}
}

// recallCanary goes on with the canary of a former pool, whose settings the app's
// files have.
func (a *app) recallCanary(r *protocol.Canary) {
	if r == nil {
		return
	}
	n := &canary{app: a, how: How{Cause: "pool restarted", Canary: Share{r.Share, seconds(r.For), r.Sticky}}}
	n.trial = trial{rule: rule{canary: true}, length: seconds(r.For), until: r.Until}
	n.record = protocol.Restart{
		Generation: r.Generation, State: protocol.RestartRunning, Mode: modeCanary, Share: r.Share, Cause: "pool restarted", BeganAt: r.BeganAt,
	}
	if !r.Until.IsZero() {
		n.record.State, n.record.WatchedUntil = protocol.RestartWatching, r.Until
	}
	a.canary, a.newest = n, max(a.newest, r.Generation)
}
