package spawn

import (
	"context"
	"fmt"

	"passenger/lib/bug"
	"passenger/lib/proc"
	"passenger/lib/spawn/diagnosis"
	"passenger/lib/spawn/gate"
)

// confirm has the process at its gate look for itself, if its start was planned
// by an expectation. The error is [survey.ErrChanged], wraps [diagnosis.ErrUnseen]
// and ctx's cause, or is one of the system; the process is on its way out then.
func (a *attempt) confirm(ctx context.Context, g *gate.Gate, handle *proc.Handle) error {
	if a.plan.Expected == nil {
		return nil
	}
	err := g.Confirm(ctx, a.plan.Expected)
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", diagnosis.ErrUnseen, err)
		}
		bug.Go(func() { a.s.children.Dismiss(handle) })
	}
	return err
}
