package spawn

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"passenger/lib/cgroup"
)

// cgroups is where processes get cgroups of their own.
type cgroups struct {
	mu     sync.Mutex // guards the fields below
	tree   *cgroup.Tree
	reason error // why there is no tree
	open   func() (*cgroup.Tree, error)
	warned map[string]bool // what was said already
}

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
	group, err := a.cgroups.make(a.p.snapshot().ID, limits)
	if err != nil {
		a.cgroups.warn(a.req.App, err)
	}
	if group == nil {
		return
	}
	if err := group.Place(pid); err != nil {
		a.cgroups.warn(a.req.App, errors.Join(err, group.Remove()))
		return
	}
	a.p.mu.Lock()
	defer a.p.mu.Unlock()
	a.p.cgroup = group
}

// make makes a cgroup. It may return one and an error: a limit that the kernel
// does not offer.
func (c *cgroups) make(id string, l cgroup.Limits) (*cgroup.Group, error) {
	tree, reason := c.current()
	if tree != nil {
		return tree.Make(id, l)
	}
	if l == (cgroup.Limits{}) {
		return nil, nil
	}
	return nil, reason
}

func (c *cgroups) current() (*cgroup.Tree, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tree == nil && c.open != nil {
		if c.tree, c.reason = c.open(); c.tree != nil {
			c.open = nil
		}
	}
	return c.tree, c.reason
}

// warn logs that an app's processes have less than was set, once for each
// reason.
func (c *cgroups) warn(app string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.warned == nil {
		c.warned = map[string]bool{}
	}
	if c.warned[err.Error()] {
		return
	}
	c.warned[err.Error()] = true
	slog.Warn("cgroup limits not applied", "app", app, "err", err)
}

// hasCgroup says whether the process has a cgroup of its own, which holds all
// that descends from it.
func (p *process) hasCgroup() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cgroup != nil
}

// killCgroup ends what is in the process's cgroup, and says how many processes
// that were.
func (p *process) killCgroup() (left int) {
	p.mu.Lock()
	group := p.cgroup
	p.mu.Unlock()
	if group == nil {
		return 0
	}
	left = group.Size()
	if left == 0 {
		return 0
	}
	if err := group.Kill(); err != nil {
		slog.Error("cgroup not killed", "err", err)
	}
	return left
}

// leaveCgroup removes the cgroup of a process that has ended, and returns what
// it knows of the end: why the kernel killed something in it, else nothing.
func (p *process) leaveCgroup() (outOfMemory string) {
	p.mu.Lock()
	group := p.cgroup
	p.mu.Unlock()
	if group == nil {
		return ""
	}
	if group.OOMKills() > 0 {
		outOfMemory = "killed by the kernel: out of memory"
		if limit := group.MemoryMax(); limit > 0 {
			outOfMemory += fmt.Sprintf(" (limit %d MB)", limit>>20)
		}
	}
	if err := group.Remove(); err != nil {
		slog.Error("cgroup not removed", "err", err)
	}
	return outOfMemory
}
