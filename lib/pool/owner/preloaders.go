package owner

import (
	"context"
	"log/slog"
	"time"

	"passenger/lib/bug"
	"passenger/lib/pool"
)

// promoteTime is how long a process may take to fork a preloader: it does so
// between two of its requests, and prepares it.
const promoteTime = 5 * time.Minute

// promote has a process promoted, and tells the pool.
func (o *Owner) promote(ctx context.Context, id string) {
	call, cancel := context.WithTimeout(ctx, promoteTime)
	defer cancel()
	promoted := false
	defer func() { o.tell(ctx, func(time.Time) { o.pool.Promoted(id, promoted) }) }()
	defer bug.Caught(nil)
	err := o.spawner.Promote(call, id)
	promoted = err == nil
	if err != nil {
		slog.Warn("process could not be promoted", "id", id, "err", err)
	}
}

// clear stops preloaders, and tells the pool. Where that fails it does so, too:
// the start of a process that they are in the way of says why.
func (o *Owner) clear(ctx context.Context, c pool.Clear) {
	call, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	defer o.tell(ctx, func(time.Time) { o.pool.Cleared(c) })
	defer bug.Caught(nil)
	list, err := o.spawner.Preloaders(call)
	for _, l := range list.Preloaders {
		if err == nil && l.App == c.App && l.Generation < c.Before {
			err = o.spawner.StopPreloader(call, l.ID)
		}
	}
	if err != nil {
		slog.Warn("could not stop old preloaders", "app", c.App, "err", err)
	}
}
