package pool

import (
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"time"

	"passenger/lib/pool/side"
	"passenger/lib/protocol"
	"passenger/lib/security"
)

// An app is one app with its processes.
type app struct {
	pool *Pool

	config protocol.AppConfig // complete, as package app leaves it

	// running is what processes of the present generation are started with. It
	// is older than config after a restart for config failed.
	running protocol.AppConfig

	generation int // of new processes
	newest     int // the highest number ever given

	processes []*process // that serve, in order of start
	crew      *side.Crew // those that do not
	refork    refork
	restart   *restart // nil unless one is under way
	canary    *canary  // nil unless there is one; never beside a restart
	last      *protocol.Restart
	backoff   backoff
	demand    demand
	appetite  appetite
	history   history

	short     shortage
	weight    int64         // footprint as last measured in bytes, 0 if it never was
	startTook time.Duration // of the process that was ready last

	removed bool // goes when its last process is gone
	held    bool // its settings are unknown: nothing is changed
	always  bool // see [Pool.AlwaysRestart]

	orders     orders
	rejections rejections

	// recalled says that the last table told the generation.
	recalled bool

	// byApp are the settings that only the app's own directory has; see
	// [protocol.Route.SetByApp].
	byApp []string

	uid *int // see [protocol.Route.UID]

	// published is the app's route in the table, nil if it is in none; it is never
	// changed. stale says that what it was made from was.
	published *protocol.Route
	stale     bool

	// grown says that a process became ready that no table has yet;
	// grownVersion is the table that has the newest one.
	grown        bool
	grownVersion uint64
}

// A census counts the processes of an app.
type census struct {
	starting int // of the present generation
	ready    int // of the present generation
	old      int // ready, of another generation
	leaving  int // draining or stopping, but for those kept
}

// serving is how many processes take requests.
func (c census) serving() int { return c.ready + c.old }

func (a *app) census() census {
	var c census
	for _, q := range a.processes {
		switch {
		case a.canary.has(q) && !q.state.leaves():
		case q.starting():
			c.starting++
		case q.state == stateKept:
		case q.state.outOfBand() && q.record.Generation == a.generation:
			c.ready++
		case q.phase() != protocol.Ready:
			c.leaving++
		case q.record.Generation == a.generation:
			c.ready++
		default:
			c.old++
		}
	}
	return c
}

// Put adds an app or changes its settings, which are complete and valid, and
// claim nothing that another app has; see [Pool.Check]. Processes that run
// with settings that are no more are replaced.
func (p *Pool) Put(now time.Time, c protocol.AppConfig, byApp ...string) {
	a := p.apps[c.Name]
	switch {
	case a == nil:
		a = &app{pool: p, config: c, running: c, generation: 1, newest: 1, crew: p.newCrew(c.Name)}
		p.apps[c.Name], p.byName = a, nil
		slog.Info("app added", security.AppAdded.Attr(), "app", c.Name, "app_root", c.AppRoot)
	case a.removed || a.held:
		// Its processes may run with other settings, which the pool cannot know.
		// Those that already drain go on to do so.
		a.config, a.running, a.removed, a.held, a.backoff = c, c, false, false, backoff{}
		if a.canary != nil { // of a former pool
			a.canary.config, a.canary.byApp = c, byApp
		}
		slog.Info("app added", security.AppAdded.Attr(), "app", c.Name, "app_root", c.AppRoot)
	case !reflect.DeepEqual(a.config, c):
		stale := !sameProcess(a.running, c)
		a.config = c
		slog.Info("app changed", security.AppChanged.Attr(), "app", c.Name)
		if stale {
			a.begin(now, How{WatchErrors: c.WatchErrors, Cause: "settings"})
		} else {
			a.running = c
		}
	}
	a = p.apps[c.Name]
	a.byApp = byApp
	if *c.MinInstances > p.limits.Processes {
		slog.Warn("app cannot have its minimum", "app", c.Name, "min_instances", *c.MinInstances, "max_pool_size", p.limits.Processes)
	}
	p.table.changed(a)
}

// sameProcess says that a process started with one of the settings could have
// been started with the other: they differ at most in what the pool and the
// proxies make of them.
func sameProcess(a, b protocol.AppConfig) bool {
	if a.AppRoot != b.AppRoot || a.Type != b.Type || a.StartupFile != b.StartupFile || a.StartCommand != b.StartCommand ||
		a.Environment != b.Environment || a.Ruby != b.Ruby || a.Python != b.Python || a.Nodejs != b.Nodejs ||
		!maps.Equal(a.EnvVars, b.EnvVars) || !sameCommands(a.Processes, b.Processes) {
		return false
	}
	return reflect.DeepEqual(a.MaxConcurrency, b.MaxConcurrency)
}

// sameCommands says that each type of side processes that is in both is run by the
// same command.
func sameCommands(a, b map[string]protocol.SideProcess) bool {
	for kind, s := range a {
		if t, ok := b[kind]; ok && s.Command != t.Command {
			return false
		}
	}
	return true
}

// Remove drains and stops the app's processes and forgets it; it is named in
// [Decision.Removed] then. It reports whether there is such an app.
func (p *Pool) Remove(now time.Time, name string) bool {
	a := p.apps[name]
	if a == nil {
		return false
	}
	if !a.removed {
		a.removed, a.restart, a.canary = true, nil, nil
		a.release(now)
		p.table.changed(a)
	}
	return true
}

// Hold says that settings of apps could not be read. Processes of apps that
// are not known are left alone until it is said that they could.
func (p *Pool) Hold(held bool) {
	p.spawner.held = held
	for _, a := range p.apps {
		if a.held && !held && p.spawner.heard {
			a.held, a.removed = false, true
			p.table.changed(a)
		}
	}
}

// unknown returns an app of which the pool has no settings: it is either on its
// way out or, while settings cannot be read, left as it is.
func (p *Pool) unknown(name string) *app {
	c := protocol.AppConfig{Name: name, BaseURI: "/", MinInstances: new(int), QueueSize: new(int), FriendlyErrors: new(bool)}
	a := &app{pool: p, config: c, running: c, generation: 1, newest: 1, held: true, crew: p.newCrew(name)}
	p.apps[name], p.byName = a, nil
	p.table.changed(a)
	return a
}

// steer moves one app towards what it should be, but for starts, which apps
// compete for.
func (a *app) steer(now time.Time, d *Decision) {
	switch {
	case a.removed:
		for _, q := range a.processes {
			q.drain(now, "app removed")
		}
		if len(a.processes) == 0 && a.crew.Empty() {
			a.pool.forget(a)
		}
	case a.held || !a.pool.spawner.heard:
	default:
		a.try(now, d)
		a.roll(now, d)
		a.refresh(now, d)
		a.renew(now)
		a.reject(now, d)
		a.promote(d)
		a.rest(now, d)
		a.shrink(now, d)
		a.ease(now, d)
	}
}

func (p *Pool) forget(a *app) {
	delete(p.apps, a.config.Name)
	p.byName = nil
	p.outcomes.removed = append(p.outcomes.removed, a.config.Name)
	slog.Info("app removed", security.AppRemoved.Attr(), "app", a.config.Name)
}

// most is how many processes the app may have.
func (a *app) most() int {
	switch {
	case a.orders.instances != nil:
		return min(*a.orders.instances, a.pool.limits.Processes)
	case a.config.MaxInstances > 0:
		return min(a.config.MaxInstances, a.pool.limits.Processes)
	}
	return a.pool.limits.Processes
}

// surge is how many processes over the maximum there may be for the app now:
// some during a restart, so that nothing that serves has to make room for what
// may not start.
func (a *app) surge() int {
	switch {
	case a.restart == nil && a.canary == nil || a.restart != nil && a.restart.blocking():
		return 0
	case a.config.RestartSurge != nil:
		return min(*a.config.RestartSurge, a.pool.limits.Surge)
	}
	return min(defaultSurge, a.pool.limits.Surge)
}

// defaultSurge is an app's restart_surge.
const defaultSurge = 1

// poolFull says that the pool has no room for one more process of the app.
func (a *app) poolFull() bool { return len(a.pool.processes) >= a.pool.limits.Processes+a.surge() }

// appFull says that the app has as many processes as it may.
func (a *app) appFull() bool { return len(a.processes) >= a.most()+a.surge() }

// least is how many processes of the app there are to be.
func (a *app) least() int {
	switch {
	case a.always:
		return 0
	case a.orders.instances != nil:
		return *a.orders.instances
	}
	return *a.config.MinInstances
}

// remove takes a process that is gone off the books.
func (q *process) remove(now time.Time) {
	delete(q.app.pool.processes, q.record.ID)
	q.app.processes = slices.DeleteFunc(q.app.processes, func(r *process) bool { return r == q })
	if q.record.Address != "" {
		q.app.pool.table.changed(q.app)
	}
	if q.attached {
		record := q.record
		q.app.emit(now, protocol.Event{Event: protocol.EventDetached, Process: &record})
	}
	if r := q.app.restart; r != nil && q.record.Generation == q.app.generation {
		r.trial.gone.add(q.traffic.counts)
	}
	if n := q.app.canary; n.has(q) {
		n.trial.gone.add(q.traffic.counts)
	}
	q.app.pool.gone[q.record.ID] = now
}
