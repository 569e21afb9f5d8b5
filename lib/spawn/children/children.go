// Package children holds what this program has started, or had forked, and will
// reap.
//
// As a child subreaper the program also becomes the parent of strangers: of
// processes that children leave behind. The table tells the two apart.
package children

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/bug"
	"passenger/lib/proc"
	"passenger/lib/spawn/fork"
	"passenger/lib/spawn/gate"
)

// A Table is of those children, by pid. The zero value has none.
type Table struct {
	mu    sync.Mutex // guards known; held while one starts
	known map[int]bool
}

// Start starts a child and opens a handle of it. The child is known from its
// first moment, so that [proc.ReapStrangers] leaves it. The caller forgets it
// once it is reaped.
func (c *Table) Start(path string, args []string, attr *os.ProcAttr) (*proc.Handle, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	child, err := os.StartProcess(path, args, attr)
	if err != nil {
		return nil, err
	}
	// The handle waits for it from here on. Release fails only on a process
	// that was released before.
	pid := child.Pid
	_ = child.Release()
	id, err := proc.IdentityOf(pid)
	if err == nil {
		var handle *proc.Handle
		if handle, err = proc.Open(id); err == nil {
			c.add(pid)
			return handle, nil
		}
	}
	// Without descriptors left there is no handle to reap it by. Its number is
	// its own until it is reaped.
	_ = syscall.Kill(pid, syscall.SIGKILL)
	_, _ = syscall.Wait4(pid, nil, 0, nil)
	return nil, err
}

// Adopt enters a process that was a child before this program replaced itself.
func (c *Table) Adopt(pid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(pid)
}

// add enters a child. mu is held.
func (c *Table) add(pid int) {
	if c.known == nil {
		c.known = map[int]bool{}
	}
	c.known[pid] = true
}

// TakeIn enters a process that a preloader forked, and opens a handle of it. The
// error wraps [fork.ErrLost] or is one of the system. pid is the kernel's word. That the process fell to us and leads a group shows that
// it is the one we asked for, and not another that an app speaks for.
func (c *Table) TakeIn(pid int) (*proc.Handle, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id, err := proc.IdentityOf(pid)
	if err != nil {
		return nil, fmt.Errorf("%w: its process ended at once", fork.ErrLost)
	}
	if !proc.IsChild(pid) || !proc.InGroup(pid, pid) {
		return nil, fmt.Errorf("%w: process %d did not fall to the spawner or leads no group", fork.ErrLost, pid)
	}
	if c.known[pid] {
		return nil, fmt.Errorf("%w: process %d is known already", fork.ErrLost, pid)
	}
	handle, err := proc.Open(id)
	if err != nil {
		return nil, err
	}
	c.add(pid)
	return handle, nil
}

// Forget takes a child that was reaped out of the table.
func (c *Table) Forget(pid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, pid)
}

// Ours says whether the process is in the table.
func (c *Table) Ours(pid int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[pid]
}

// Orphans are the children of this program that are not in the table: what
// processes left behind when they ended.
func (c *Table) Orphans() []int { return slices.DeleteFunc(proc.Children(), c.Ours) }

// Dismiss kills a child that is of no more use, and reaps it. It waits for that,
// perhaps for ever: the kernel may hold the child.
func (c *Table) Dismiss(child *proc.Handle) {
	defer child.Close()
	_ = child.Signal(unix.SIGKILL) // gone is fine
	if child.Wait() == nil {
		_, _ = child.Reap() // its status says nothing
	}
	c.Forget(child.Identity().PID)
}

// Errand has a process at a gate carry out the order, and returns its answer
// with the file that it opened, if it did. The process is killed when ctx ends.
// One that the kernel does not let go even then, as on a dead file server, is
// left behind, and no thread of ours waits for it.
func (c *Table) Errand(ctx context.Context, o gate.Order) (a gate.Answer, file *os.File, err error) {
	g, gateEnd, err := gate.New()
	if err != nil {
		return gate.Answer{}, nil, err
	}
	defer g.Close()
	defer gateEnd.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return gate.Answer{}, nil, err
	}
	defer null.Close()
	runner, err := c.Start("/proc/self/exe", gate.Args([]string{"errand"}), &os.ProcAttr{
		Env: os.Environ(), Files: []*os.File{null, null, null, null, null, gateEnd}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return gate.Answer{}, nil, err
	}
	gateEnd.Close()
	defer bug.Go(func() { c.Dismiss(runner) })
	if a, err = g.Open(ctx, o); err != nil {
		return gate.Answer{}, nil, err
	}
	return a, g.TakeFile(), nil
}

// strayPause is how often KillStrays looks, and strayLooks how often at most: for
// a second, or longer where it has to wait for a processor, as they have.
const strayPause, strayLooks = 5 * time.Millisecond, 200

// KillStrays kills what was started with the notify socket's name, and returns
// how many processes that were. It goes on until it has found nothing for a
// while: one may start another while it looks. It waits for one that has fallen
// to us and is in the middle of execve(2).
func (c *Table) KillStrays(notify string) (killed int) {
	quiet := 0
	for looks := 0; quiet < 3 && looks < strayLooks; looks++ {
		n := proc.KillCarriers("NOTIFY_SOCKET="+notify, 0)
		killed += n
		if n > 0 || proc.InExec(c.Orphans()) {
			quiet = 0
		} else {
			quiet++
		}
		time.Sleep(strayPause)
	}
	return killed
}

// Version runs the program at path with --version and returns what it prints.
func (c *Table) Version(ctx context.Context, path string) (string, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer r.Close()
	child, err := c.Start(path, []string{path, "--version"}, &os.ProcAttr{Env: os.Environ(), Files: []*os.File{nil, w, w}})
	w.Close()
	if err != nil {
		return "", err
	}
	defer child.Close()
	stop := context.AfterFunc(ctx, func() {
		_ = child.Signal(unix.SIGKILL) // gone is fine
		_ = r.SetReadDeadline(time.Unix(1, 0))
	})
	defer stop()
	out, readErr := io.ReadAll(io.LimitReader(r, 4096))
	status, err := child.Reap()
	c.Forget(child.Identity().PID)
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("%q --version: %w", path, context.Cause(ctx))
	case errors.Join(readErr, err) != nil:
		return "", fmt.Errorf("%q --version: %w", path, errors.Join(readErr, err))
	case status.Exited() && status.ExitStatus() != 0:
		return "", fmt.Errorf("%q --version: exit status %d: %s", path, status.ExitStatus(), strings.TrimSpace(string(out)))
	}
	return strings.TrimSpace(string(out)), nil
}
