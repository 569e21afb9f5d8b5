package proxy

import (
	"os"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/proxy/wire"
)

// snapshot is what the pool is told.
func (p *Proxy) snapshot() protocol.ProxyReport {
	r := protocol.ProxyReport{
		PID: os.Getpid(), RoutesVersion: p.index.Load().version,
		Processes: map[string]protocol.ProcessReport{}, Apps: map[string]protocol.AppReport{},
	}
	for _, a := range p.allApps() {
		r.Apps[a.name] = a.report(p.clock, r.Processes)
	}
	return r
}

// report counts what the app and its processes do.
func (a *app) report(k *wire.Clock, processes map[string]protocol.ProcessReport) protocol.AppReport {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.departed.report(k, processes)
	for _, p := range a.processes {
		processes[p.id] = p.report(k)
	}
	r := protocol.AppReport{Queued: a.queue.length, Requests: a.requests, Rejected: a.rejected, Retried: a.retried, Errors: a.errors}
	for _, p := range a.processes {
		r.Upgraded += len(p.upgraded)
	}
	r.UpgradedClosed = a.dismissed
	if c := a.cache.Load(); c != nil {
		r.CacheHits, r.CacheMisses, r.CacheStores = c.Hits.Load(), c.Misses.Load(), c.Stores.Load()
	}
	if w := a.queue.first; w != nil {
		r.OldestWait = time.Since(w.began).Seconds()
	}
	return r
}

// report counts what the process does. Its app's mutex is held.
func (p *process) report(k *wire.Clock) protocol.ProcessReport {
	r := protocol.ProcessReport{
		InFlight: p.inFlight, Upgraded: len(p.upgraded), Processed: p.counted, Errors: p.errors, Took: time.Duration(p.took).Seconds(), Stuck: p.stuck, WorkAsked: p.asked, ConnectFailed: p.refused,
	}
	if p.lastUsed > 0 {
		r.LastUsed = k.Start.Add(time.Duration(p.lastUsed))
	}
	return r
}
