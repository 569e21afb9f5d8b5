package spawn

import (
	"context"

	"passenger/lib/bug"
	"passenger/lib/proc"
	"passenger/lib/spawn/gate"
)

// confirm has the process at its gate look for itself, if its start was planned
// by an expectation. The error is [survey.ErrChanged], ctx's cause or one of the
// system; the process is on its way out then.
func (a *attempt) confirm(ctx context.Context, g *gate.Gate, handle *proc.Handle) error {
	if a.plan.expected == nil {
		return nil
	}
	err := g.Confirm(ctx, a.plan.expected)
	if err != nil {
		a.unseen = ctx.Err() != nil
		bug.Go(func() { a.s.children.dismiss(handle) })
	}
	return err
}
