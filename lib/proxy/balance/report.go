package balance

import (
	"time"

	"passenger/lib/protocol"
	"passenger/lib/proxy/wire"
)

// Report counts what the app and its processes do; those it adds to processes.
func (a *App) Report(k *wire.Clock, processes map[string]protocol.ProcessReport) protocol.AppReport {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.departed.report(k, processes)
	for _, p := range a.processes {
		processes[p.ID] = p.report(k)
	}
	r := protocol.AppReport{Queued: a.queue.length, Requests: a.requests, Rejected: a.rejected, Retried: a.retried, Errors: a.errors}
	for _, p := range a.processes {
		r.Upgraded += len(p.upgraded)
	}
	r.UpgradedClosed = a.dismissed
	if w := a.queue.first; w != nil {
		r.OldestWait = time.Since(w.Began).Seconds()
	}
	for _, p := range a.processes {
		if w := p.place.next; w != nil {
			r.Queued++
			r.OldestWait = max(r.OldestWait, time.Since(w.Began).Seconds())
		}
	}
	return r
}

// report counts what the process does. Its app's mutex is held.
func (p *Process) report(k *wire.Clock) protocol.ProcessReport {
	r := protocol.ProcessReport{
		InFlight: p.inFlight, Upgraded: len(p.upgraded), Processed: p.counted, Errors: p.errors, Took: time.Duration(p.took).Seconds(), Stuck: p.stuck, WorkAsked: p.asked, ConnectFailed: p.refused,
		RefusedFor: p.refusedFor().Seconds(),
	}
	if p.lastUsed > 0 {
		r.LastUsed = k.Start.Add(time.Duration(p.lastUsed))
	}
	return r
}
