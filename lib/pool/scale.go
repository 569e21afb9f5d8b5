package pool

import (
	"cmp"
	"slices"
	"time"

	"passenger/lib/protocol"
)

// startWait is how long the oldest request waits, in seconds, before a process
// is started beside those that serve: most queues are gone before that.
const startWait = 0.1

// demanded is how many processes to start because requests wait. Those that
// start already count, so that one burst does not start everything.
func (a *app) demanded(c census) int {
	if a.demand.queued == 0 || a.orders.paused != "" || a.restart != nil && a.restart.blocked(c) {
		return 0
	}
	if c.serving() > 0 && a.demand.waited < startWait {
		return 0
	}
	if k := a.concurrency(); k > 0 {
		return max((a.demand.queued+k-1)/k-c.starting, 0)
	}
	// One process takes them all, or no process has told yet how many it takes.
	return max(1-c.serving()-c.starting, 0)
}

// concurrency is how many sessions a process of the app takes at once: 0 if
// there is no limit or none was ready yet.
func (a *app) concurrency() int {
	for _, q := range slices.Backward(a.processes) {
		if q.phase() != protocol.Starting && q.record.Address != "" {
			return q.record.Concurrency
		}
	}
	if a.config.MaxConcurrency != nil {
		return *a.config.MaxConcurrency
	}
	return 0
}

// shrink drains processes over the minimum that have been idle for the app's
// idle time, and those over a maximum that was lowered.
func (a *app) shrink(now time.Time, d *Decision) {
	c := a.census()
	spare := c.ready - a.least()
	if a.restart != nil || spare <= 0 {
		return
	}
	over, free := c.ready+c.starting-a.most(), a.free()
	for _, q := range a.leastUsed() {
		if spare <= 0 {
			return
		}
		idle := q.traffic.used.Add(seconds(a.config.IdleTime))
		switch {
		case over > 0:
			q.drain(now, "over the maximum")
			over--
		case !q.traffic.idle() || a.demand.queued > 0 || free <= a.config.SpareInstances:
			continue
		case now.Before(idle):
			d.wake(idle)
			return
		default:
			q.drain(now, "idle")
			free--
		}
		spare--
	}
}

// free counts the processes that serve and have no request.
func (a *app) free() int {
	n := 0
	for _, q := range a.processes {
		if q.phase() == protocol.Ready && q.traffic.inFlight == 0 && !q.app.canary.has(q) {
			n++
		}
	}
	return n
}

// unfree is how many processes to start so that as many have no request as
// the settings say. A process that takes any number of them needs none beside it.
func (a *app) unfree(c census) int {
	if c.serving() == 0 || a.concurrency() == 0 || a.always || a.orders.paused != "" || a.orders.instances != nil {
		return 0
	}
	return max(a.config.SpareInstances-a.free()-c.starting, 0)
}

// leastUsed returns the processes that serve, the one first that was last used
// the longest time ago.
func (a *app) leastUsed() []*process {
	var ready []*process
	for _, q := range a.processes {
		if q.phase() == protocol.Ready && !a.canary.has(q) {
			ready = append(ready, q)
		}
	}
	slices.SortStableFunc(ready, func(x, y *process) int {
		return cmp.Or(cmp.Compare(x.traffic.inFlight, y.traffic.inFlight), cmp.Compare(x.traffic.upgraded, y.traffic.upgraded), x.traffic.used.Compare(y.traffic.used))
	})
	return ready
}
