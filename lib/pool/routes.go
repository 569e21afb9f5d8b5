package pool

import (
	"reflect"
	"slices"

	"passenger/lib/protocol"
)

// A table is the route table as last published.
type table struct {
	version uint64
	apps    []*protocol.Route

	stale  bool   // what it was made from changed
	forced bool   // a proxy needs a higher version, whatever is in it
	first  uint64 // the least version of the next one
}

// versionGap is what a pool leaves between the last table in the file and its
// own first: its predecessor may have been killed after it published tables
// and before they were written.
const versionGap = 100

func (t *table) recall(last *protocol.Routes) {
	t.version, t.apps = min(last.Version, 2*mostVersion), last.Apps
	t.first = t.version + versionGap
}

// exceed makes sure that the next table has a higher version than one which a
// proxy has.
func (t *table) exceed(version uint64) {
	if version > t.version {
		t.version, t.stale, t.forced = version, true, true
	}
}

// mostVersion is the highest version that the pool believes of a file or a proxy.
// Each pool counts up by one from its predecessor's version, so that none comes
// near. Beyond 2^53 some programs read another number than was written.
const mostVersion = 1 << 52

// believes says that a pool may have made a table of that version.
func (t *table) believes(version uint64) bool {
	return version <= max(t.version+versionGap, mostVersion)
}

// changed notes that something of an app changed that its route is made from.
func (t *table) changed(a *app) { a.stale, t.stale = true, true }

// publish makes a new route table if anything in it changed. Only routes of apps
// that changed are made anew, and of those only the ones that differ: a table has
// the same pointer as the one before for a route that is the same.
func (p *Pool) publish(d *Decision) {
	t := &p.table
	if !t.stale && t.version > 0 {
		return
	}
	t.stale = false
	apps := make([]*protocol.Route, 0, len(p.apps))
	for _, a := range p.sorted() {
		if !a.removed {
			apps = append(apps, t.routeOf(a))
		}
	}
	if t.forced || t.version == 0 || !slices.Equal(t.apps, apps) {
		t.version, t.apps, t.forced = max(t.version+1, t.first), apps, false
		d.Routes = &protocol.Routes{Version: t.version, Apps: apps}
	}
	p.stamp()
}

// routeOf is the app's route, made anew if it is stale.
func (t *table) routeOf(a *app) *protocol.Route {
	if a.published == nil || a.stale {
		a.stale = false
		if r := a.route(); a.published == nil || !reflect.DeepEqual(*a.published, r) {
			a.published = &r
		}
	}
	return a.published
}

// stamp notes in which table processes came and went.
func (p *Pool) stamp() {
	for _, q := range p.processes {
		if q.inTable == 0 && (q.phase() == protocol.Draining || q.phase() == protocol.Stopping) {
			q.inTable = p.table.version
		}
	}
	for _, a := range p.apps {
		if a.grown {
			a.grown, a.grownVersion = false, p.table.version
		}
		if a.orders.paused != "" && a.orders.pausedIn == 0 {
			a.orders.pausedIn = p.table.version
		}
	}
}

// user is the number of the user that the app runs as: that of its newest
// process, else of its last start; nil if none has told.
func (a *app) user() *int {
	newest := -1
	for _, q := range a.processes {
		if r := &q.record; r.UID != nil && r.Generation > newest {
			a.uid, newest = r.UID, r.Generation
		}
	}
	if err := a.backoff.err; newest < 0 && err != nil && err.UID != nil {
		a.uid = err.UID
	}
	return a.uid
}

// formerQueueSize is the bound of proxies that do not know open queues.
const formerQueueSize = 100

func (a *app) route() protocol.Route {
	c := &a.config
	r := protocol.Route{
		App: c.Name, Generation: a.generation,
		ServerNames: c.ServerNames, BaseURI: c.BaseURI, AppRoot: c.AppRoot, UID: a.user(), SetByApp: a.byApp,
		QueueTime: c.QueueTime, ReadTimeout: c.ReadTimeout, DrainTimeout: c.DrainTimeout,
		RequestTime: c.MaxRequestTime, HealthPath: c.HealthPath,
		Paused: a.orders.paused, Instances: a.orders.instances, MinInstances: a.least(),
		Processes: []protocol.RouteProcess{}, FriendlyErrors: *c.FriendlyErrors,
		Serving: c.Serving,
		Trial:   a.canary != nil || a.restart != nil && !a.restart.undoing && a.restart.trial.length > 0,
		Canary:  a.canary.route(),
	}
	if c.QueueSize != nil {
		r.QueueSize = *c.QueueSize
	} else {
		r.QueueOpen, r.QueueSize = true, formerQueueSize
	}
	serves := false
	for _, q := range a.processes {
		if q.phase() == protocol.Starting || q.record.Address == "" {
			continue
		}
		r.Processes = append(r.Processes, protocol.RouteProcess{
			ID: q.record.ID, Slot: q.record.Slot, PID: q.record.PID, Address: q.record.Address, DataProtocol: q.record.DataProtocol,
			SessionForm: q.record.SessionForm, Concurrency: q.record.Concurrency, AppRoot: q.record.AppRoot, Root: q.record.Root, Generation: q.record.Generation,
			Draining: q.phase() != protocol.Ready, Leaving: q.state.leaves(),
		})
		serves = serves || q.phase() == protocol.Ready
	}
	if !serves && a.backoff.refusing {
		r.Error, r.NextTry, r.TryAtRequest = a.backoff.err, a.backoff.until, a.triesAtRequest()
	}
	return r
}
