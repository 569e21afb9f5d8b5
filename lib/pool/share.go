package pool

import (
	"cmp"
	"slices"
	"time"
)

// turn is how long a process of an app at its minimum serves before another
// app, which has none, may have its place although it is busy.
const turn = 5 * time.Second

// youth is how long a process is left to its app at least: what it was started
// for has to reach it.
const youth = 2 * time.Second

// makeRoom drains processes of apps that have more than they need for apps
// that wait, the worst off first, unless enough are on their way out.
func (p *Pool) makeRoom(now time.Time, wants []want, d *Decision) {
	leaving := 0
	for _, a := range p.sorted() {
		leaving += a.census().leaving
		if leaving > 0 || a.restart == nil || a.restart.heldBack(a.census()) && !wantedByOthers(a, wants) {
			continue
		}
		if a.unkeep(now) {
			leaving++
		}
	}
	for i := range wants {
		w := &wants[i]
		if len(w.app.processes) >= w.app.most() || w.rank > busy || w.rank == short && !w.hungry() {
			continue
		}
		if leaving--; leaving >= 0 {
			continue // its place is about to be free
		}
		if q := p.victim(now, w, d); q != nil {
			q.drain(now, "room for app "+w.app.config.Name)
			leaving++
		}
	}
}

// wantedByOthers says that another app than a wants processes.
func wantedByOthers(a *app, wants []want) bool {
	return slices.ContainsFunc(wants, func(w want) bool { return w.app != a })
}

// hungry says that requests wait for the app.
func (w *want) hungry() bool { return w.app.demand.queued > 0 }

// victim returns the process that is to make room for an app, nil if none is:
// one that is over its app's minimum and idle; for an app with requests that
// wait, also a busy one of an app that has more processes than its share; for
// an app that has none at all, also one that its own app needs, in turn.
func (p *Pool) victim(now time.Time, w *want, d *Decision) *process {
	var best *process
	var cost int
	for _, a := range p.sorted() {
		q := a.dispensable()
		if a == w.app || q == nil {
			continue
		}
		c, ok := w.price(now, q, d)
		if ok && (best == nil || cmp.Or(cmp.Compare(c, cost), q.traffic.used.Compare(best.traffic.used)) < 0) {
			best, cost = q, c
		}
	}
	return best
}

// dispensable is the process that the app can best do without, nil if it has
// none to give.
func (a *app) dispensable() *process {
	ready := a.leastUsed()
	if a.restart != nil || a.held || a.removed || len(ready) == 0 {
		return nil
	}
	return ready[0]
}

// What it costs to take a process, cheapest first.
const (
	idleSurplus = iota // no request notices
	busySurplus        // its app has less than it could use
	idleNeeded         // its app is under its minimum, or has none
	busyNeeded
)

// price is what it costs to give q's place to an app that wants one, and
// whether it may be.
func (w *want) price(now time.Time, q *process, d *Decision) (cost int, ok bool) {
	a, c := q.app, q.app.census()
	if grown := q.since.Add(youth); now.Before(grown) {
		d.wake(grown)
		return 0, false
	}
	idle := q.traffic.idle() && a.demand.queued == 0
	switch surplus := c.ready > a.least(); {
	case surplus && idle:
		return idleSurplus, true
	case !w.hungry():
		return 0, false
	case surplus:
		// Apps that are short are levelled out, but not back and forth.
		return busySurplus, c.ready > w.has+1
	case w.rank != unserved:
		return 0, false
	case idle:
		return idleNeeded, true
	}
	over := q.since.Add(turn)
	if now.Before(over) {
		d.wake(over)
		return 0, false
	}
	return busyNeeded, true
}
