package pool

import (
	"log/slog"

	"passenger/lib/protocol"
)

// refork has a process that answered enough requests promoted to be what later
// ones of its generation are forked from: once a generation.
func (p *Pool) refork(a *app, d *Decision) {
	after := a.config.ReforkAfter
	if after == 0 || a.promoted >= a.generation || a.restart != nil || a.always {
		return
	}
	for _, q := range a.processes {
		if q.phase == protocol.Ready && q.record.Generation == a.generation && q.record.Preloader != "" &&
			!q.unfit && q.traffic.processed >= uint64(after) {
			a.promoted = a.generation
			d.Promote = append(d.Promote, q.record.ID)
			return
		}
	}
}

// Promoted tells whether a process was promoted. If it was not, another one is
// tried.
func (p *Pool) Promoted(id string, ok bool) {
	q := p.processes[id]
	switch {
	case q == nil || q.app.promoted != q.record.Generation:
	case ok:
		slog.Info("processes are forked from one that served", "app", q.app.config.Name, "pid", q.record.PID)
	default:
		q.unfit = true
		q.app.promoted = 0
	}
}
