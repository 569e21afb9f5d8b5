package spawn

import (
	"fmt"
	"log/slog"
	"sync"

	"passenger/lib/cgroup"
)

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

// cgroups is where processes get cgroups of their own.
type cgroups struct {
	mu     sync.Mutex // guards the fields below
	tree   *cgroup.Tree
	reason error // why there is no tree
	open   func() (*cgroup.Tree, error)
	warned map[string]bool // what was said already
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
