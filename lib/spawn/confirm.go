package spawn

import (
	"context"
	"errors"
	"fmt"

	"passenger/lib/bug"
	"passenger/lib/spawn/diagnosis"
	"passenger/lib/spawn/gate"
)

// confirm has the process at its gate look for itself, if its start was planned
// by an expectation. The error is [survey.ErrChanged], wraps [diagnosis.ErrUnseen]
// and ctx's cause, or is one of the system.
func (a *attempt) confirm(ctx context.Context, g *gate.Gate) error {
	if a.plan.Expected == nil {
		return nil
	}
	err := g.Confirm(ctx, a.plan.Expected)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", diagnosis.ErrUnseen, err)
	}
	return err
}

// takeBack ends a process that did not come through its gate, and takes it out of
// the list: it ran nothing of the app. It does not wait for one that hangs at the
// app's directory, which the kernel may not let go.
func (a *attempt) takeBack(cause error) {
	if a.p.Began() {
		kill := func() { a.p.Kill("killed by us: " + cause.Error()) }
		if errors.Is(cause, diagnosis.ErrUnseen) {
			bug.Go(kill)
		} else {
			kill()
		}
	} else if a.p.Notify != nil {
		a.p.Notify.Close()
	}
	a.s.forget(a.p)
}
