package spawn

import (
	"errors"

	"passenger/lib/cgroup"
)

// UseCgroups has each process that is started from now on, and each that was
// adopted, live in a cgroup below the tree. Without a tree there are no limits
// of cgroups: the first app that wants them is told the reason in the log.
func (s *Spawner) UseCgroups(tree *cgroup.Tree, reason error) {
	s.cgroups.mu.Lock()
	s.cgroups.tree, s.cgroups.reason = tree, reason
	s.cgroups.mu.Unlock()
	if tree == nil {
		return
	}
	tree.Sweep() // those whose process ended while there was no spawner
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.processes {
		p.mu.Lock()
		p.cgroup = tree.Group(p.record.ID)
		p.mu.Unlock()
	}
}

// UseCgroupsOnce is [Spawner.UseCgroups] for a tree that is made after this
// spawner starts: open is called at each start of a process until there is one.
// reason says why there is none yet.
func (s *Spawner) UseCgroupsOnce(open func() (*cgroup.Tree, error), reason error) {
	s.cgroups.mu.Lock()
	defer s.cgroups.mu.Unlock()
	s.cgroups.tree, s.cgroups.reason, s.cgroups.open = nil, reason, open
}

// place puts the attempt's process, which waits at its gate, into a cgroup of
// its own. What is not to be had here is logged once; the process runs all the
// same.
func (a *attempt) place(pid int) {
	c := a.plan.config
	limits := cgroup.Limits{MemoryMax: int64(c.MemoryMax) << 20, PIDsMax: c.PIDsMax, CPUWeight: c.CPUWeight}
	group, err := a.s.cgroups.make(a.p.snapshot().ID, limits)
	if err != nil {
		a.s.cgroups.warn(a.req.App, err)
	}
	if group == nil {
		return
	}
	if err := group.Place(pid); err != nil {
		a.s.cgroups.warn(a.req.App, errors.Join(err, group.Remove()))
		return
	}
	a.p.mu.Lock()
	defer a.p.mu.Unlock()
	a.p.cgroup = group
}
