package spawn

import (
	"context"
	"time"

	"passenger/lib/cgroup"
	"passenger/lib/host"
	"passenger/lib/protocol"
)

// UseCgroups has each process that is started from now on, and each that was
// adopted, live in a cgroup below the tree. Without a tree there are no limits
// of cgroups: the first app that wants them is told the reason in the log.
func (s *Spawner) UseCgroups(tree *cgroup.Tree, reason error) {
	s.cgroups.Use(tree, reason, nil)
	if tree == nil {
		return
	}
	tree.Sweep() // those whose process ended while there was no spawner
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.processes {
		p.Join(tree.Group(p.Snapshot().ID))
	}
}

// UseCgroupsOnce is [Spawner.UseCgroups] for a tree that is made after this
// spawner starts: open is called at each start of a process until there is one.
// reason says why there is none yet.
func (s *Spawner) UseCgroupsOnce(open func() (*cgroup.Tree, error), reason error) {
	s.cgroups.Use(nil, reason, open)
}

// limitsEvery is how often it is looked whether limits have struck.
const limitsEvery = 5 * time.Second

// WatchLimits tells of limits that strike and end no process, until ctx ends.
func (s *Spawner) WatchLimits(ctx context.Context) {
	ticker := time.NewTicker(limitsEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.cgroups.Look()
			for _, p := range s.running() {
				p.TellRefusals()
			}
		}
	}
}

// Host is what processes can have, where they live: in the tree of cgroups, else
// where this program is.
func (s *Spawner) Host() protocol.Host { return host.This.Spare(s.cgroups.Path()) }

// limitsOf are the limits that an app's settings ask of cgroups.
func limitsOf(c protocol.AppConfig) cgroup.Limits {
	return cgroup.Limits{MemoryMax: int64(c.MemoryMax) << 20, PIDsMax: c.PIDsMax, CPUWeight: c.CPUWeight}
}
