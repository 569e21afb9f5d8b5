package owner

import (
	"context"
	"time"

	"passenger/lib/pool"
	"passenger/lib/pool/probe"
)

// check asks a process whether it serves, and tells the pool.
func (o *Owner) check(ctx context.Context, c pool.Check) {
	err := probe.Check(ctx, c.Process, c.Config)
	o.tell(ctx, func(now time.Time) { o.pool.Checked(now, c.Process.ID, err) })
}
