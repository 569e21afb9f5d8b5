package spawn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/spawn/fork"
	"passenger/lib/spawn/gate"
)

// forkTimeout is how long a preloader may take for one fork. It takes
// milliseconds; one that hangs is replaced.
const forkTimeout = 15 * time.Second

// A forker is a process that forks another.
type forker interface {
	// fork sends one request and waits for its reply.
	fork(ctx context.Context, id string, files []*os.File) error
	snapshot() protocol.Process
}

// fork has the preloader fork the attempt's process, or a process the
// preloader, writes its record and lets it through its gate.
func (a *attempt) fork(ctx context.Context, from forker) error {
	given, err := a.belongings()
	if err != nil {
		return err
	}
	defer closeAll(given)
	g, gateEnd, err := gate.New()
	if err != nil {
		return err
	}
	defer g.Close()
	defer gateEnd.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, a.forkTimeout, fmt.Errorf("%w: it did not fork within %v", fork.ErrLost, a.forkTimeout))
	defer cancel()
	if err := from.fork(ctx, a.req.ID, append(given[1:], gateEnd)); err != nil {
		return err
	}
	gateEnd.Close() // the process's copy must be the last, or we never see its end
	pid, err := g.Hello(ctx)
	if errors.Is(err, gate.ErrSilent) {
		return fmt.Errorf("%w: %w", fork.ErrLost, err)
	}
	if err != nil {
		return err
	}
	handle, err := a.takeIn(pid)
	if err != nil {
		return err
	}
	if a.preloader == nil {
		a.p.change(func(r *protocol.Process) { r.Preloader = from.snapshot().ID })
	}
	if err := a.begin(handle); err != nil {
		return err
	}
	a.publish()
	if !a.plan.promotable {
		return g.Admit()
	}
	control, err := g.AdmitAndKeep()
	if control != nil {
		a.p.keepOrigin(&origin{process: a.p, control: control, plan: a.plan})
	}
	return err
}

// fork sends one request and waits for its reply. One request is under way at
// a time.
func (l *preloader) fork(ctx context.Context, id string, files []*os.File) error {
	select {
	case <-l.turn:
	case <-l.exited:
		return fork.ErrLost
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	err := fork.Ask(ctx, l.control, id, files)
	if ctx.Err() != nil && err != nil {
		return err // and not give the turn back: an answer that comes later would be taken for the next one's
	}
	if err == nil {
		l.forked()
	}
	l.turn <- struct{}{}
	return err
}

// takeIn makes a forked process one of our children. pid is the kernel's word;
// that it fell to us and leads a group shows that it is what we asked for, and
// not another process that an app speaks for.
func (s *Spawner) takeIn(pid int) (*proc.Handle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, err := proc.IdentityOf(pid)
	if err != nil {
		return nil, fmt.Errorf("%w: its process ended at once", fork.ErrLost)
	}
	if !proc.IsChild(pid) || !proc.InGroup(pid, pid) {
		return nil, fmt.Errorf("%w: process %d did not fall to the spawner or leads no group", fork.ErrLost, pid)
	}
	if s.children[pid] {
		return nil, fmt.Errorf("%w: process %d is known already", fork.ErrLost, pid)
	}
	handle, err := proc.Open(id)
	if err != nil {
		return nil, err
	}
	s.children[pid] = true
	return handle, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
