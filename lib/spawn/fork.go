package spawn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/spawn/fork"
	"passenger/lib/spawn/gate"
)

// forkTimeout is how long a preloader may take for one fork, which takes
// milliseconds. A preloader that hangs is replaced.
const forkTimeout = 15 * time.Second

// A forker is a process that forks another.
type forker interface {
	// fork sends one request and waits for its reply.
	fork(ctx context.Context, id string, files []*os.File) error
	Snapshot() protocol.Process
}

// fork has a preloader fork the attempt's process, or a process fork its
// preloader. It writes the record of the new one and lets it through its gate.
func (a *attempt) fork(ctx context.Context, from forker) error {
	p, err := a.passage()
	if err != nil {
		return err
	}
	defer p.leave()
	ctx, cancel := context.WithTimeoutCause(ctx, a.s.forkTimeout, fmt.Errorf("%w: it did not fork within %v", fork.ErrLost, a.s.forkTimeout))
	defer cancel()
	if err := from.fork(ctx, a.req.ID, p.inherited[1:]); err != nil {
		return err
	}
	p.handOver()
	pid, err := p.gate.Hello(ctx)
	if errors.Is(err, gate.ErrSilent) {
		return fmt.Errorf("%w: %w", fork.ErrLost, err)
	}
	if err != nil {
		return err
	}
	handle, err := a.s.children.TakeIn(pid)
	if err != nil {
		return err
	}
	if a.preloader == nil {
		a.p.Change(func(r *protocol.Process) { r.Preloader = from.Snapshot().ID })
	}
	if err := a.begin(handle); err != nil {
		return err
	}
	a.s.publish()
	if !a.plan.Promotable {
		return p.gate.Admit()
	}
	control, err := p.gate.AdmitAndKeep()
	if control != nil {
		a.s.origins.add(&origin{Process: a.p, control: control, plan: a.plan})
	}
	return err
}

// fork sends one request and waits for its reply. One request is under way at
// a time.
func (l *preloader) fork(ctx context.Context, id string, files []*os.File) error {
	select {
	case <-l.turn:
	case <-l.Exited():
		return fork.ErrLost
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	err := fork.Ask(ctx, l.control, id, files)
	if ctx.Err() != nil && err != nil {
		return err // without giving the turn back: a late answer would be taken for the next one's
	}
	if err == nil {
		l.forked()
	}
	l.turn <- struct{}{}
	return err
}
