package balance

import (
	"slices"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/proxy/wire"
)

// toldFor is how long the app reports the counts of a process that left: the pool
// learns that a process is gone before it learns what that did last.
const toldFor = 5 * time.Second

// departed are processes that left the table a moment ago, in that order.
type departed []departure

type departure struct {
	process *Process
	until   time.Time
}

func (d *departed) add(p *Process) {
	if p.counted > 0 {
		*d = append(*d, departure{p, time.Now().Add(toldFor)})
	}
}

// report adds what they did to processes, and forgets those that left long ago.
func (d *departed) report(k *wire.Clock, processes map[string]protocol.ProcessReport) {
	now := time.Now()
	*d = slices.DeleteFunc(*d, func(gone departure) bool { return now.After(gone.until) })
	for _, gone := range *d {
		processes[gone.process.ID] = gone.process.report(k)
	}
}
