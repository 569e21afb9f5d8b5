package proxy

import (
	"cmp"
	"sync/atomic"

	"passenger/lib/httpcache"
	"passenger/lib/loglimit"
	"passenger/lib/protocol"
	"passenger/lib/proxy/balance"
	"passenger/lib/proxy/buffering"
	"passenger/lib/proxy/files"
	"passenger/lib/proxy/limits"
	"passenger/lib/proxy/tally"
	"passenger/lib/proxy/wire"
)

// An app is what the proxy has of one app for as long as it is in the route
// table, or has sessions still. What a table says of it is in its mount.
type app struct {
	name    string
	balance *balance.App
	dirs    files.Dirs                      // the proxy's mutex guards them
	cache   atomic.Pointer[httpcache.Cache] // nil if its answers are not kept
	ends    tally.Ends
	times   tally.Times

	disk       buffering.Share  // for bodies of its requests and answers
	diskLogged loglimit.Limiter // of a spent share of the disk

	limiter limits.Limiter

	complained loglimit.Limiter // of a file that is not sent
	faults     faults
}

// app returns the app of a name, a new one if there is none. p.mu is held.
func (p *Proxy) app(name string) *app {
	a := p.apps[name]
	if a == nil {
		a = &app{name: name, balance: balance.New(name, p.changed, p.places, &p.waiting)}
		a.balance.SlowAfter = cmp.Or(p.slowAfter, a.balance.SlowAfter)
		a.disk.Most = p.Disk.App
		p.apps[name] = a
	}
	return a
}

// allApps returns the apps in the table, and those that left it but have
// sessions still.
func (p *Proxy) allApps() []*app {
	p.mu.Lock()
	defer p.mu.Unlock()
	apps := make([]*app, 0, len(p.apps))
	for name, a := range p.apps {
		if a.balance.Over() {
			delete(p.apps, name)
			p.times.Forget(&a.times)
			continue
		}
		apps = append(apps, a)
	}
	return apps
}

// apply takes over a new route. The proxy's mutex is held.
func (a *app) apply(r *protocol.Route) {
	a.balance.Apply(r, func(rp *protocol.RouteProcess) *files.Sendfile { return files.NewSendfile(r, a.dirs.Home(r, rp)) })
	a.dirs.Forget(r)
}

// report counts what the app and its processes do; those it adds to processes.
func (a *app) report(k *wire.Clock, processes map[string]protocol.ProcessReport) protocol.AppReport {
	r := a.balance.Report(k, processes)
	if c := a.cache.Load(); c != nil {
		r.CacheHits, r.CacheMisses, r.CacheStores = c.Hits.Load(), c.Misses.Load(), c.Stores.Load()
	}
	return r
}
