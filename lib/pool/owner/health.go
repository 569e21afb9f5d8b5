package owner

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"passenger/lib/bug"
	"passenger/lib/pool"
	"passenger/lib/pool/probe"
	"passenger/lib/protocol"
)

// workTime is how long a process may work out of band.
const workTime = 10 * time.Minute

// workOutOfBand gives a process its time, and tells the pool when it is over.
func (o *Owner) workOutOfBand(ctx context.Context, r protocol.Process) {
	call, cancel := context.WithTimeoutCause(ctx, workTime, fmt.Errorf("not done within %v", workTime))
	defer cancel()
	defer func() { o.tell(ctx, func(now time.Time) { o.pool.Worked(now, r.ID) }) }()
	defer bug.Caught(nil)
	err := probe.Work(call, r)
	if err != nil {
		slog.Warn("process did not work out of band", "app", r.App, "pid", r.PID, "err", err)
	}
}

// check asks a process whether it serves, and tells the pool.
func (o *Owner) check(ctx context.Context, c pool.Check) {
	err := &protocol.SpawnError{
		Category: protocol.CategoryInternal, Summary: "an internal error of the pool", Advice: "its log has the details",
		App: c.Process.App, ProcessID: c.Process.ID, At: time.Now(), Phases: []protocol.Phase{}, Output: []string{},
	}
	defer func() { o.tell(ctx, func(now time.Time) { o.pool.Checked(now, c.Process.ID, err) }) }()
	defer bug.Caught(nil)
	err = probe.Check(ctx, c.Process, c.Config)
}
