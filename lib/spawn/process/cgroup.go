package process

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

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
	if want, killed := group.OutOfMemory(time.Now()); killed {
		outOfMemory = fmt.Sprintf("killed by the kernel: out of memory (%v)", want)
	}
	p.tellRefusals(group)
	if err := group.Remove(); err != nil {
		slog.Error("cgroup not removed", "err", err)
	}
	return outOfMemory
}

// tellRefusals logs, once for each process, that its limit of processes struck:
// what the app says of it is at best that there is nothing to be had.
func (p *Process) tellRefusals(group *cgroup.Group) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := group.PIDsRefused()
	if n == 0 || p.refusals {
		return
	}
	p.refusals = true
	slog.Warn("process reached its pids_max: the kernel lets it make no other process or thread", "app", p.record.App, "pid", p.record.PID, "refused", n)
}

// TellRefusals is to be called every few seconds while the process runs.
func (p *Process) TellRefusals() {
	p.mu.Lock()
	group := p.cgroup
	p.mu.Unlock()
	if group != nil {
		p.tellRefusals(group)
	}
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

// Look notes which limits of the tree have struck; see [cgroup.Tree.Look].
func (c *Cgroups) Look() {
	if tree, _ := c.current(); tree != nil {
		tree.Look(time.Now())
	}
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
