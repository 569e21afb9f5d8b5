package pool

import (
	"log/slog"

	"passenger/lib/protocol"
)

// leastGain is how much smaller a promotion has to make processes for another
// one to be worth its while.
const leastGain = 0.05

// A refork is what processes of an app's newest generation are forked from.
type refork struct {
	generation int
	promoted   bool    // there was a promotion
	asked      bool    // one is under way
	over       bool    // the last one gained too little, or the gain is not known
	memory     float64 // of a process before the last one, in bytes, 0 if it is not known
}

// A lineage says what a process is in the line of those that others are forked
// from.
type lineage int

const (
	fit      lineage = iota // it may be promoted
	unfit                   // it cannot be
	replaced                // another of its generation was promoted since it was started
)

// promote has a process that answered enough requests promoted to be what later
// ones of its generation are forked from. Those forked before are replaced then,
// and it goes on as long as that makes them smaller.
func (a *app) promote(d *Decision) {
	after := a.config.ReforkAfter
	if a.refork.generation != a.generation {
		a.refork = refork{generation: a.generation}
	}
	r := &a.refork
	if after == 0 || r.asked || r.over || a.restart != nil || a.always {
		return
	}
	var ripe *process
	for _, q := range a.processes {
		switch {
		case q.record.Generation != a.generation || q.record.Preloader == "":
		case q.phase() != protocol.Ready, outdated(q):
			return // processes come and go
		case ripe == nil && q.lineage != unfit && q.traffic.processed >= uint64(after):
			ripe = q
		}
	}
	if ripe == nil {
		return
	}
	memory := a.meanMemory()
	if r.promoted && (memory == 0 || memory > (1-leastGain)*r.memory) {
		r.over = true
		slog.Info("processes are not promoted any more", "app", a.config.Name, "generation", a.generation,
			"memory_mb", int(memory)>>20, "before_mb", int(r.memory)>>20)
		return
	}
	r.asked, r.memory = true, memory
	d.Promote = append(d.Promote, ripe.record.ID)
}

// Promoted tells whether a process was promoted. If it was not, another one is
// tried.
func (p *Pool) Promoted(id string, ok bool) {
	q := p.processes[id]
	if q == nil {
		return
	}
	r := &q.app.refork
	if r.generation != q.record.Generation {
		return
	}
	r.asked = false
	if !ok {
		q.lineage = max(q.lineage, unfit)
		return
	}
	r.promoted = true
	for _, before := range q.app.processes {
		if before.record.Generation == r.generation {
			before.lineage = replaced
		}
	}
	slog.Info("processes are forked from one that served", "app", q.app.config.Name, "pid", q.record.PID)
}

// outdated says that the process was forked before another of its generation
// was promoted. What it was forked from is known once it is ready.
func outdated(q *process) bool { return q.lineage == replaced && q.record.Preloader != "" }

// meanMemory is the memory of a ready process of the app in bytes, 0 if it is
// not known.
func (a *app) meanMemory() float64 {
	var sum, n float64
	for _, q := range a.processes {
		if m := a.pool.host.Processes[q.record.ID]; m > 0 && q.phase() == protocol.Ready && q.record.Generation == a.generation {
			sum += float64(m)
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return sum / n
}
