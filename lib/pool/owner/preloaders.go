package owner

import (
	"context"
	"log/slog"
	"time"

	"passenger/lib/pool"
)

// clear stops preloaders, and tells the pool. Where that fails it does so, too:
// the start of a process that they are in the way of says why.
func (o *Owner) clear(ctx context.Context, c pool.Clear) {
	call, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	list, err := o.spawner.Preloaders(call)
	for _, l := range list.Preloaders {
		if err == nil && l.App == c.App && l.Generation < c.Before {
			err = o.spawner.StopPreloader(call, l.ID)
		}
	}
	if err != nil {
		slog.Warn("could not stop old preloaders", "app", c.App, "err", err)
	}
	o.tell(ctx, func(time.Time) { o.pool.Cleared(c) })
}
