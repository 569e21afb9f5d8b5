// Package pool decides: how many processes each app has, which are replaced,
// drained and stopped, and what the route table says.
//
// A [Pool] is a function of what it was told and of time. It does no I/O:
// events go in by its methods, and [Pool.Decide] answers what is to be done
// now, and when to ask again. Package owner does it.
//
// What was decided is not remembered as a plan: every decision starts from the
// processes as they are, so a pool that was killed goes on where it was once
// it knows them again.
package pool

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"time"

	"passenger/lib/protocol"
)

// Limits bound a pool.
type Limits struct {
	// Processes there may be in all, those that drain or stop included.
	Processes int

	// Automatic says that nobody named Processes: a quota of processors where the
	// processes live changes it.
	Automatic bool

	// Surge is how many there may be more while an app restarts.
	Surge int

	// Starting is how many processes may load at once: loading keeps a
	// processor busy. One that takes longer than slowStart counts no more.
	Starting int
}

// slowStart is when a starting process is taken to wait for something rather
// than to compute.
const slowStart = 10 * time.Second

// A Pool is all processes of all apps. It is used by one goroutine.
type Pool struct {
	limits Limits
	chance Chance
	begun  time.Time

	apps      map[string]*app
	byName    []*app // those in order of their names; nil when one came or went since
	processes map[string]*process
	gone      map[string]time.Time // IDs that a late list may still name
	late      map[string]late      // by ID
	proxies   map[string]*proxy
	spawner   spawner
	host      Host
	table     table
	checks    []Check // since the last decision
	events    []protocol.Event
	outcomes  outcomes
	due       time.Time // when the next decision is, at the latest; zero for never

	testOnlyStep func(event, state) // told of each event and the state that it meets
}

// Chance is where the pool gets what has to differ each time.
type Chance struct {
	ID     func() string  // of a new process; see [protocol.Process.ID]
	Jitter func() float64 // in [0, 1)
}

// A spawner is what the pool knows of the spawner.
type spawner struct {
	up  bool            // its list is heard
	has map[string]bool // the IDs in its list

	// heard says that it was heard once. Until then the pool does not know what
	// runs: it starts nothing, and believes what the last table named.
	heard bool

	// held says that apps may run whose settings could not be read. Processes
	// of apps that are not known are left alone then.
	held bool
}

// outcomes are the ends of what callers wait for, since the last decision.
type outcomes struct {
	restarts []Outcome
	removed  []string
}

// An Outcome is how a restart ended.
type Outcome struct {
	App        string
	Generation int

	// Err is nil if the generation serves.
	Err *protocol.SpawnError

	// Serving says that a process serves the app, be it of the old generation.
	Serving bool

	// TakenBack says that the generation served before it failed.
	TakenBack bool
}

// A Decision is what is to be done. The results of Start, Stop and Check come
// back as events: [Pool.Spawned], [Pool.Stopped], [Pool.Checked],
// [Pool.Cleared], [Pool.Promoted] and [Pool.Worked].
type Decision struct {
	Start []protocol.SpawnRequest
	Stop  []Stop
	Check []Check
	Clear []Clear
	Work  []protocol.Process // whose time out of band has come

	// Promote names processes that are to be what others are forked from.
	Promote []string

	// Routes is the new route table, nil if it did not change. It is published
	// before anything is stopped.
	Routes *protocol.Routes

	Restarts []Outcome
	Events   []protocol.Event
	Removed  []string // names of apps that were removed and have no process left

	// Wake is when to decide again if nothing happens before. The zero time
	// means never.
	Wake time.Time
}

// A Stop is a process that is to be stopped.
type Stop struct {
	ID string
	protocol.StopRequest
}

func (d *Decision) wake(at time.Time) {
	if d.Wake.IsZero() || at.Before(d.Wake) {
		d.Wake = at
	}
}

// New makes a pool without apps. last is the route table that a former pool
// published, nil if there was none.
func New(now time.Time, limits Limits, chance Chance, last *protocol.Routes) *Pool {
	p := &Pool{
		limits: limits, chance: chance, begun: now,
		apps: map[string]*app{}, processes: map[string]*process{},
		gone: map[string]time.Time{}, late: map[string]late{}, proxies: map[string]*proxy{},
	}
	if last != nil {
		p.recall(now, last)
	}
	return p
}

// Decide answers what is to be done now.
func (p *Pool) Decide(now time.Time) Decision {
	var d Decision
	p.expire(now, &d)
	p.unlisted(now, &d)
	for _, a := range p.sorted() {
		a.steer(now, &d)
	}
	p.start(now, &d)
	p.staff(now, &d)
	p.publish(&d)
	p.finish(now, &d)
	d.Restarts, d.Removed = p.outcomes.restarts, p.outcomes.removed
	d.Check, d.Events = p.checks, p.events
	p.checks, p.events, p.outcomes, p.due = nil, nil, outcomes{}, d.Wake
	return d
}

// sorted returns the apps by name, so that decisions do not depend on a map's
// order.
func (p *Pool) sorted() []*app {
	if p.byName == nil {
		p.byName = slices.SortedFunc(maps.Values(p.apps), func(a, b *app) int { return cmp.Compare(a.config.Name, b.config.Name) })
	}
	return p.byName
}

// ordered goes through all processes, app by app and in order of start, so that
// what is done to them does not depend on a map's order.
func (p *Pool) ordered() iter.Seq[*process] {
	return func(yield func(*process) bool) {
		for _, a := range p.sorted() {
			for _, q := range a.processes {
				if !yield(q) {
					return
				}
			}
		}
	}
}
