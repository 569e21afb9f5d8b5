package pool

import (
	"log/slog"
	"time"

	"passenger/lib/protocol"
)

// A proxy is what one proxy last said.
type proxy struct {
	report protocol.ProxyReport
	at     time.Time
}

// Traffic is the sessions of one process over all proxies.
type traffic struct {
	counts
	inFlight int
	upgraded int       // connections, of which some are in flight too
	stuck    uint64    // of the errors
	deaf     float64   // seconds that it has refused connections of a proxy
	asked    uint64    // of those processed, with a wish for time out of band
	former   counts    // of proxies that left
	silent   silent    // of proxies that are silent
	before   counts    // as of the report before
	used     time.Time // last time that it was known to be of use
	last     time.Time // last time that a proxy tells, for people
}

// silent are the counts of proxies that are silent, by their IDs. They count on from
// there if they are heard again.
type silent map[string]counts

// A demand is the requests of one app that wait, over all proxies.
type demand struct {
	queued int
	waited float64 // the oldest, in seconds
}

// Reported tells what a proxy said. It reports whether the pool has all of that: it
// has not if it did not keep the report before one of changes.
func (p *Pool) Reported(now time.Time, id string, r protocol.ProxyReport) (kept bool) {
	if !p.table.believes(r.RoutesVersion) {
		slog.Error("report of a proxy ignored: no pool made such a version", "proxy", id, "routes_version", r.RoutesVersion)
		return false
	}
	x := p.proxies[id]
	known := x != nil
	switch {
	case r.Leaving && known && r.Changes:
		x.report.Take(r)
		p.leave(id, false)
	case r.Leaving:
		if known && len(r.Processes) > 0 { // it said more than that it goes
			x.report = r
		}
		p.leave(id, false)
	case r.Changes && !known:
		return false
	case r.Changes:
		x.report.Take(r)
		x.at = now
	default:
		if !known {
			slog.Debug("proxy reports", "proxy", id)
			p.greet(id, r)
		}
		p.proxies[id] = &proxy{report: r, at: now}
	}
	// It has a table of a pool before us whose last one was not written.
	p.table.exceed(r.RoutesVersion)
	p.count()
	for _, a := range p.apps {
		a.hunger(now)
	}
	p.note(now, known)
	p.acquit(now)
	return true
}

// greet takes what a proxy counted before this pool heard of it for told. Its counts
// go on if it was silent.
func (p *Pool) greet(id string, r protocol.ProxyReport) {
	for _, q := range p.processes {
		delete(q.traffic.silent, id)
	}
	for name, ar := range r.Apps {
		if a := p.apps[name]; a != nil {
			a.rejections.told += ar.Rejected
		}
	}
}

// asleep is how late a decision is of a pool that did not run: it was stopped, or the
// machine was. Nobody was silent meanwhile who was not heard.
const asleep = 250 * time.Millisecond

// expire forgets proxies that are silent.
func (p *Pool) expire(now time.Time, d *Decision) {
	n := len(p.proxies)
	slept := !p.due.IsZero() && now.Sub(p.due) > asleep
	for id, x := range p.proxies {
		if slept {
			x.at = now
		}
		if expiry := x.at.Add(protocol.ReportExpiry); now.Before(expiry) {
			d.wake(expiry)
		} else {
			slog.Warn("proxy is silent", "proxy", id)
			p.leave(id, true)
		}
	}
	if len(p.proxies) < n {
		p.count()
	}
}

// leave forgets a proxy, which said so or is silent.
func (p *Pool) leave(id string, mute bool) {
	x := p.proxies[id]
	if x == nil {
		return
	}
	delete(p.proxies, id)
	for process, r := range x.report.Processes {
		q := p.processes[process]
		switch {
		case q == nil:
		case !mute:
			q.traffic.former.add(countsOf(r))
		case q.traffic.silent == nil:
			q.traffic.silent = silent{id: countsOf(r)}
		default:
			q.traffic.silent[id] = countsOf(r)
		}
	}
}

// count adds up what the proxies said.
func (p *Pool) count() {
	for _, q := range p.processes {
		t := &q.traffic
		t.before = t.counts
		t.inFlight, t.upgraded, t.stuck, t.asked, t.deaf, t.counts = 0, 0, 0, 0, 0, t.former
		for _, c := range t.silent {
			t.counts.add(c)
		}
	}
	for _, a := range p.apps {
		a.demand, a.rejections.count = demand{}, 0
	}
	for _, x := range p.proxies {
		for id, r := range x.report.Processes {
			if q := p.processes[id]; q != nil {
				q.traffic.add(r)
			}
		}
		for name, r := range x.report.Apps {
			a := p.apps[name]
			if a == nil {
				continue
			}
			a.rejections.count += r.Rejected
			// A proxy that does not know the newest process yet counts
			// requests that it may take.
			if !a.grown && x.report.RoutesVersion >= a.grownVersion {
				a.demand.queued += r.Queued
				a.demand.waited = max(a.demand.waited, r.OldestWait)
			}
		}
	}
}

// note notes which processes were of use. It goes by their counts: the times
// in a report are of a clock that may be set. recent says that what is new was
// answered since the report before.
func (p *Pool) note(now time.Time, recent bool) {
	for _, q := range p.processes {
		t := &q.traffic
		if !t.idle() || t.processed != t.before.processed {
			t.used = now
		}
		if answers := t.since(t.before); recent && answers.processed > 0 {
			q.app.answered(now, q, answers)
		}
	}
}

// answered notes by what a generation that is to come will be measured.
func (a *app) answered(now time.Time, q *process, answers counts) {
	switch r := a.restart; {
	case a.canary.has(q): // counted at the process
	case a.canary != nil:
		a.canary.trial.before.add(answers)
		a.history.add(now, answers)
	case r == nil || r.undoing:
		a.history.add(now, answers)
	case q.record.Generation != a.generation:
		r.trial.before.add(answers)
	}
}

// idle says that no client has anything of the process.
func (t *traffic) idle() bool { return t.inFlight == 0 && t.upgraded == 0 }

func (t *traffic) add(r protocol.ProcessReport) {
	t.inFlight += r.InFlight
	t.upgraded += r.Upgraded
	t.counts.add(countsOf(r))
	t.stuck += r.Stuck
	t.asked += r.WorkAsked
	t.deaf = max(t.deaf, r.RefusedFor)
	t.last = later(t.last, r.LastUsed)
}

func countsOf(r protocol.ProcessReport) counts { return counts{r.Processed, r.Errors, r.Took} }
