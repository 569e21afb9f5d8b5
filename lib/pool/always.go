package pool

import (
	"time"

	"passenger/lib/protocol"
)

// alwaysWait is how long a process of an app that always restarts may be
// without a request: what it loaded may be old by then.
const alwaysWait = 2 * time.Second

// AlwaysRestart says that requests of the app are to meet code as it is now:
// its processes go as soon as they have answered what there was, and the next
// request starts one.
func (p *Pool) AlwaysRestart(name string, on bool) {
	if a := p.apps[name]; a != nil {
		a.always = on
		p.table.changed(a)
	}
}

// refresh drains the processes that the next request must not meet.
func (a *app) refresh(now time.Time, d *Decision) {
	if !a.always {
		return
	}
	for _, q := range a.processes {
		old := q.since.Add(alwaysWait)
		switch {
		case q.phase() != protocol.Ready || !q.traffic.idle() || a.demand.queued > 0:
		case q.traffic.processed > 0 || !now.Before(old):
			q.drain(now, "always_restart.txt")
		default:
			d.wake(old)
		}
	}
}
