package process

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"passenger/lib/cgroup"
)

// HasCgroup says whether the process has a cgroup of its own, which holds all
// that descends from it.
func (p *Process) HasCgroup() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cgroup != nil
}

// killCgroup ends what is in the process's cgroup, and says how many processes
// that were.
func (p *Process) killCgroup() (left int) {
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
func (p *Process) leaveCgroup() (outOfMemory string) {
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

// Cgroups is where processes get cgroups of their own.
type Cgroups struct {
	mu     sync.Mutex // guards the fields below
	tree   *cgroup.Tree
	reason error // why there is no tree
	open   func() (*cgroup.Tree, error)
	warned map[string]bool // what was said already
}

// make makes a cgroup. It may return one and an error: a limit that the kernel
// does not offer.
func (c *Cgroups) make(id string, l cgroup.Limits) (*cgroup.Group, error) {
	tree, reason := c.current()
	if tree != nil {
		return tree.Make(id, l)
	}
	if l == (cgroup.Limits{}) {
		return nil, nil
	}
	return nil, reason
}

func (c *Cgroups) current() (*cgroup.Tree, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tree == nil && c.open != nil {
		if c.tree, c.reason = c.open(); c.tree != nil {
			c.open = nil
		}
	}
	return c.tree, c.reason
}

// Path is the directory of the tree, empty if there is none.
func (c *Cgroups) Path() string {
	if tree, _ := c.current(); tree != nil {
		return tree.Path()
	}
	return ""
}

// warn logs that an app's processes have less than was set, once for each
// reason.
func (c *Cgroups) warn(app string, err error) {
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

// Use has cgroups made below the tree from now on. Without a tree, reason says
// why; open, if it is not nil, is tried at each start until there is one.
func (c *Cgroups) Use(tree *cgroup.Tree, reason error, open func() (*cgroup.Tree, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tree, c.reason, c.open = tree, reason, open
}

// Place puts the process, which waits at its gate, into a cgroup of its own. It
// logs a limit that this machine cannot set, once; the process runs without.
func (c *Cgroups) Place(p *Process, limits cgroup.Limits) {
	r := p.Snapshot()
	group, err := c.make(r.ID, limits)
	if err != nil {
		c.warn(r.App, err)
	}
	if group == nil {
		return
	}
	if err := group.Place(p.PID()); err != nil {
		c.warn(r.App, errors.Join(err, group.Remove()))
		return
	}
	p.Join(group)
}

// Join notes which cgroup is the process's own.
func (p *Process) Join(group *cgroup.Group) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cgroup = group
}
