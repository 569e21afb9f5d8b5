package proxy

import (
	"slices"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/proxy/wire"
)

// toldFor is how long the counts of a process are reported after it left: the
// pool learns that a process is gone sooner than what it did last.
const toldFor = 5 * time.Second

// departed are processes that left the table a moment ago, in that order.
type departed []departure

type departure struct {
	process *process
	until   time.Time
}

func (d *departed) add(p *process) {
	if p.counted > 0 {
		*d = append(*d, departure{p, time.Now().Add(toldFor)})
	}
}

// report adds what they did to processes, and forgets those that left long ago.
func (d *departed) report(k *wire.Clock, processes map[string]protocol.ProcessReport) {
	now := time.Now()
	*d = slices.DeleteFunc(*d, func(gone departure) bool { return now.After(gone.until) })
	for _, gone := range *d {
		processes[gone.process.id] = gone.process.report(k)
	}
}
