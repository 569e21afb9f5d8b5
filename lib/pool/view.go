package pool

import (
	"maps"
	"slices"
	"time"

	"passenger/lib/protocol"
)

// Apps is what GET /v1/apps answers.
func (p *Pool) Apps(now time.Time) protocol.AppList {
	list := protocol.AppList{
		Apps: []protocol.App{}, MaxPoolSize: p.limits.Processes, MaxPoolSizeReason: p.sizeReason(), SpawnerUp: p.spawner.up,
		Host:    p.host.Host,
		Proxies: slices.AppendSeq([]string{}, maps.Keys(p.proxies)),
	}
	slices.Sort(list.Proxies)
	for _, a := range p.sorted() {
		list.Apps = append(list.Apps, a.view(now))
	}
	return list
}

// App is one app as the pool sees it. It reports whether there is such an app.
func (p *Pool) App(now time.Time, name string) (protocol.App, bool) {
	a := p.apps[name]
	if a == nil {
		return protocol.App{}, false
	}
	return a.view(now), true
}

// Names are the names of all apps, in order.
func (p *Pool) Names() []string { return slices.Sorted(maps.Keys(p.apps)) }

// Version is that of the last route table.
func (p *Pool) Version() uint64 { return p.table.version }

func (a *app) view(now time.Time) protocol.App {
	v := protocol.App{
		Name: a.config.Name, Config: a.config, Generation: a.generation, State: a.state(now),
		Paused: a.orders.paused, Instances: a.orders.instances,
		Processes: []protocol.AppProcess{}, Queued: a.demand.queued, OldestWait: a.demand.waited,
		Withheld: a.withheld(now),
		Failures: a.backoff.failures, LastError: a.backoff.err,
	}
	a.wantedView(now, &v)
	if v.Restart = a.last; a.restart != nil && !a.restart.undoing {
		record := a.restart.record
		v.Restart = &record
	}
	if a.canary != nil {
		v.Restart = new(a.canary.record)
	}
	if now.Before(a.backoff.next()) && a.wanted().starts > 0 {
		v.NextTry = a.backoff.next()
	}
	v.Side = a.crew.View(now, a.running)
	for _, q := range a.processes {
		ap := protocol.AppProcess{Process: q.record, InFlight: q.traffic.inFlight, Upgraded: q.traffic.upgraded, Processed: q.traffic.processed}
		ap.State = q.phase()
		if q.traffic.processed > 0 || !q.traffic.idle() {
			if ap.LastUsed = q.traffic.last; !q.traffic.idle() {
				ap.LastUsed = q.traffic.used
			}
		}
		v.Processes = append(v.Processes, ap)
	}
	return v
}

// state sums an app up in a word.
func (a *app) state(now time.Time) string {
	c := a.census()
	switch {
	case a.restart != nil && (a.restart.trial.until.IsZero() || !a.restart.trial.watches()):
		return protocol.AppRestarting
	case c.serving() > 0:
		return protocol.AppReady
	case c.starting > 0 && a.backoff.failures == 0:
		return protocol.AppStarting
	case a.backoff.failures > 0 && (c.starting > 0 || a.wanted().starts > 0 || now.Before(a.backoff.next())):
		return protocol.AppBackoff
	case a.wanted().starts > 0:
		return protocol.AppStarting
	}
	return protocol.AppIdle
}
