package pool

import (
	"time"

	"passenger/lib/protocol"
)

// rest gives a process that asked for it time out of band: one of the app at a
// time, and only while another one serves.
func (a *app) rest(now time.Time, d *Decision) {
	var next *process
	serving := 0
	for _, q := range a.processes {
		switch {
		case q.state.outOfBand():
			q.work(now, d)
			return
		case q.phase() == protocol.Ready:
			serving++
			if next == nil && q.traffic.asked > q.workDone {
				next = q
			}
		}
	}
	if next == nil || serving < 2 || a.restart != nil {
		return
	}
	next.workDone = next.traffic.asked
	next.step(now, eventRest)
}

// work tells a process to work once no proxy has a request there.
func (q *process) work(now time.Time, d *Decision) {
	if q.state == stateResting && q.inTable > 0 && q.unused(now, d) && q.step(now, eventWork) {
		d.Work = append(d.Work, q.record)
	}
}

// Worked tells that a process used its time out of band.
func (p *Pool) Worked(now time.Time, id string) {
	if q := p.processes[id]; q != nil {
		q.step(now, eventWorked)
	}
}
