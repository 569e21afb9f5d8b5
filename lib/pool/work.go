package pool

import (
	"time"

	"passenger/lib/protocol"
)

// A work is the time out of band of one process: it gets no request, and is
// told so once those that it had are done.
type work struct{ told bool }

// rest gives a process that asked for it time out of band: one of the app at a
// time, and only while another one serves.
func (p *Pool) rest(now time.Time, a *app, d *Decision) {
	var next *process
	serving := 0
	for _, q := range a.processes {
		switch {
		case q.work != nil:
			p.work(now, q, d)
			return
		case q.phase == protocol.Ready:
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
	next.work = &work{}
	p.enter(now, next, protocol.Draining)
}

// work tells a process to work once no proxy has a request there.
func (p *Pool) work(now time.Time, q *process, d *Decision) {
	if !q.work.told && q.inTable > 0 && p.unused(now, q, d) {
		q.work.told = true
		d.Work = append(d.Work, q.record)
	}
}

// Worked tells that a process used its time out of band.
func (p *Pool) Worked(now time.Time, id string) {
	q := p.processes[id]
	if q == nil || q.work == nil {
		return
	}
	q.work, q.inTable = nil, 0
	if q.phase == protocol.Draining {
		p.enter(now, q, protocol.Ready)
	}
}
