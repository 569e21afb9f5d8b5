package owner

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"passenger/lib/protocol"
)

// Scale has an app run n processes; nil leaves it to its settings and the
// demand again. The next pool knows.
func (o *Owner) Scale(ctx context.Context, name string, n *int) (protocol.App, error) {
	return o.order(ctx, name, func() error { return o.pool.Scale(name, n) })
}

// Resume ends a pause.
func (o *Owner) Resume(ctx context.Context, name string) (protocol.App, error) {
	return o.order(ctx, name, func() error {
		if !o.pool.Pause(name, "") {
			return unknownApp(name, o.pool.Names())
		}
		return nil
	})
}

// Pause keeps requests from an app's processes. The next pool knows.
func (o *Owner) Pause(ctx context.Context, name string, r protocol.PauseRequest) (protocol.App, error) {
	how := protocol.PausedHold
	if r.Page {
		how = protocol.PausedPage
	}
	a, err := o.order(ctx, name, func() error {
		if !o.pool.Pause(name, how) {
			return unknownApp(name, o.pool.Names())
		}
		return nil
	})
	if err != nil || !r.Wait {
		return a, err
	}
	limit := waitLimit(r.Timeout)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, &protocol.Error{
		Code: protocol.CodeTimeout, Message: fmt.Sprintf("app %q still has requests in flight after %v", name, limit),
		Hint: "it is paused; passenger-status shows who has them",
	})
	defer cancel()
	return o.awaitQuiet(ctx, name)
}

// quietPause is how often a pause looks whether requests are in flight still.
const quietPause = 20 * time.Millisecond

func (o *Owner) awaitQuiet(ctx context.Context, name string) (a protocol.App, err error) {
	for quiet := false; !quiet; {
		err := o.ask(ctx, func(now time.Time) {
			quiet = o.pool.Quiet(now, name)
			a, _ = o.pool.App(now, name)
		})
		if err != nil {
			return a, err
		}
		if a.Paused == "" {
			return a, &protocol.Error{Code: protocol.CodeConflict, Message: fmt.Sprintf("app %q was resumed", name)}
		}
		if !quiet {
			rest(ctx, quietPause)
		}
	}
	return a, nil
}

// order has the pool do something that is in the route table then, and waits
// until that is on disk.
func (o *Owner) order(ctx context.Context, name string, do func() error) (a protocol.App, err error) {
	var refused error
	var before uint64
	err = o.ask(ctx, func(now time.Time) {
		if refused = do(); refused == nil {
			a, _ = o.pool.App(now, name)
		}
		before = o.pool.Version()
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return a, err
	}
	// The decision comes after the event; if it made a table, that is written.
	var version uint64
	if err := o.ask(ctx, func(time.Time) { version = o.pool.Version() }); err != nil {
		return a, err
	}
	if version > before {
		o.awaitUsed(ctx, version)
		err = o.awaitWritten(ctx, version)
	}
	return a, err
}

// usedLimit is how long proxies are waited for that are slow to take up a
// table. They will.
const usedLimit = 2 * time.Second

// awaitUsed waits until all proxies use the table of a version, so that an
// order is in effect when its caller hears.
func (o *Owner) awaitUsed(ctx context.Context, version uint64) {
	ctx, cancel := context.WithTimeout(ctx, usedLimit)
	defer cancel()
	for used := false; !used && ctx.Err() == nil; {
		// An error is the end of ctx or of the pool: there is nothing to wait for.
		if err := o.ask(ctx, func(now time.Time) { used = o.pool.Used(now, version) }); err != nil {
			return
		}
		if !used {
			rest(ctx, quietPause)
		}
	}
}

// Detach drains one process, named by its ID or its pid. It is replaced if it
// is needed.
func (o *Owner) Detach(ctx context.Context, process string) error {
	found := false
	err := o.ask(ctx, func(now time.Time) {
		if found = o.pool.Detach(now, process); found {
			return
		}
		if pid, err := strconv.Atoi(process); err == nil {
			found = o.pool.Detach(now, o.pool.ProcessOf(pid))
		}
	})
	if err == nil && !found {
		err = &protocol.Error{
			Code: protocol.CodeUnknownProcess, Message: fmt.Sprintf("no app has a process %q", process),
			Hint: "passenger-status lists them",
		}
	}
	return err
}
