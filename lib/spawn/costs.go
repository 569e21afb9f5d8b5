package spawn

import (
	"context"

	"passenger/lib/proc"
	"passenger/lib/protocol"
)

// Measure measures the memory of all that runs until ctx ends, a little at a time.
func (s *Spawner) Measure(ctx context.Context) { s.meter.Keep(ctx, s.groups) }

// Costs returns what each process and preloader costs now, by pid. One that was not
// measured yet is missing.
func (s *Spawner) Costs() map[int]*protocol.Usage {
	costs := map[int]*protocol.Usage{}
	for pid, usage := range s.meter.Read(s.groups()) {
		costs[pid] = &usage
	}
	return costs
}

// groups are the leaders of this spawner's process groups.
func (s *Spawner) groups() []int {
	var pids []int
	for _, r := range s.feed.Get().Processes {
		if r.State != protocol.Exited {
			pids = append(pids, r.PID)
		}
	}
	for _, l := range s.Preloaders() {
		if l.PID != 0 {
			pids = append(pids, l.PID)
		}
	}
	return pids
}

// withCosts adds to each process that runs what it costs now. One that was not
// measured yet has no costs.
func withCosts(meter *proc.Meter, processes []protocol.Process) []protocol.Process {
	var pids []int
	for _, r := range processes {
		if r.State != protocol.Exited {
			pids = append(pids, r.PID)
		}
	}
	usages := meter.Read(pids)
	costs := make([]protocol.Process, len(processes))
	for i, r := range processes {
		if usage, ok := usages[r.PID]; ok && r.State != protocol.Exited {
			r.Usage = &usage
		}
		costs[i] = r
	}
	return costs
}

// addCosts is withCosts for preloaders, which it changes.
func addCosts(meter *proc.Meter, preloaders []protocol.Preloader) {
	var pids []int
	for _, l := range preloaders {
		pids = append(pids, l.PID)
	}
	usages := meter.Read(pids)
	for i, l := range preloaders {
		if usage, ok := usages[l.PID]; ok {
			preloaders[i].Usage = &usage
		}
	}
}
