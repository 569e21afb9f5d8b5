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
	ctx, cancel := context.WithTimeoutCause(ctx, a.s.forkTimeout, fmt.Errorf("%w: it did not fork within %v", fork.ErrLost, a.s.forkTimeout))
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
	handle, err := a.s.children.takeIn(pid)
	if err != nil {
		return err
	}
	if a.preloader == nil {
		a.p.change(func(r *protocol.Process) { r.Preloader = from.snapshot().ID })
	}
	if err := a.begin(handle); err != nil {
		return err
	}
	a.s.publish()
	if !a.plan.promotable {
		return g.Admit()
	}
	control, err := g.AdmitAndKeep()
	if control != nil {
		a.s.addOrigin(&origin{process: a.p, control: control, plan: a.plan})
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

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
