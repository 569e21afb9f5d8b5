package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"passenger/lib/cli"
	"passenger/lib/protocol"
)

// lookEvery is how often a wait looks again.
const lookEvery = 100 * time.Millisecond

type waitCommand struct {
	App      string        `arg:"" name:"app" help:"The app's name, or its directory."`
	Ready    bool          `help:"Wait until it serves and no restart is under way (default)."`
	FirstTry bool          `name:"first-try" help:"Do not wait for another start when one failed."`
	Timeout  time.Duration `default:"10m" placeholder:"DURATION" help:"Longest time to wait (${default})."`
	answer
}

func (c *waitCommand) Run(ctx context.Context, cmd *command) error {
	if err := sensible(c.Timeout); err != nil {
		return err
	}
	pool, err := cmd.dial()
	if err != nil {
		return err
	}
	end := func(bool) {}
	a, err := c.wait(ctx, pool, func(name string) { end = tellProgress(ctx, pool, []string{name}) })
	end(err != nil)
	if err != nil {
		return err
	}
	return c.print(a)
}

// wait waits until the app serves. It calls found when it is known which app
// that is.
func (c *waitCommand) wait(ctx context.Context, pool *caller, found func(name string)) (protocol.App, error) {
	name := ""
	began := time.Now()
	for end := began.Add(c.Timeout); ; {
		a, err := pool.find(ctx, c.App)
		starting := down(err) // it may be about to come up
		if err == nil && name == "" {
			name = a.Name
			found(name)
		}
		switch {
		case err != nil && !starting:
			return a, err
		case err == nil && serves(a):
			return a, nil
		case err == nil && c.FirstTry && a.Failures > 0:
			return a, notReady(a, time.Since(began).Round(time.Second))
		case time.Now().Add(lookEvery).After(end) && starting:
			return a, err
		case time.Now().Add(lookEvery).After(end):
			return a, notReady(a, c.Timeout)
		}
		select {
		case <-ctx.Done():
			return a, context.Cause(ctx)
		case <-time.After(lookEvery):
		}
	}
}

// down says that no pool is there.
func down(err error) bool {
	var e *cli.Error
	return errors.As(err, &e) && e.Status == cli.NotThere
}

// serves says that an app answers requests, or would start for one.
func serves(a protocol.App) bool { return a.State == protocol.AppReady || a.State == protocol.AppIdle }

func notReady(a protocol.App, limit time.Duration) error {
	e := &cli.Error{Err: fmt.Errorf("app %q is not ready after %v, but %s", a.Name, limit, a.State), Status: cli.NotReady}
	if a.LastError != nil {
		e.Err = fmt.Errorf("%w: %s", e.Err, a.LastError.Summary)
		e.Hint, e.Body = a.LastError.Advice, report(a.LastError)
	}
	return e
}
