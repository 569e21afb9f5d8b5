package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"passenger/lib/cli"
	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/statedir"
	"passenger/lib/status"
)

type requestsCommand struct {
	App        string        `arg:"" optional:"" help:"Show only those of this app."`
	LongerThan time.Duration `placeholder:"DURATION" help:"Show only those that are under way for longer."`
}

// Run prints the requests in flight.
func (q *requestsCommand) Run(ctx context.Context, c *command) error {
	dir, err := c.once("requests")
	if err != nil {
		return err
	}
	all, err := caller.Requests(ctx, dir)
	if err != nil {
		return silent(err, statedir.Proxy, dir)
	}
	chosen := status.Chosen(all, q.App, q.LongerThan)
	if c.Format == "json" {
		return writeJSON(protocol.RequestList{Requests: chosen})
	}
	return write(status.RequestsText(chosen, style()))
}

// silent says in the words of a person that a daemon gave no answer.
func silent(err error, daemon string, dir statedir.Dir) error {
	var pe *protocol.Error
	switch {
	case errors.Is(err, control.ErrDown):
		return &cli.Error{
			Err: fmt.Errorf("no passenger-%s is running in %q", daemon, dir.Path()), Status: cli.NotThere,
			Hint: `run "passenger-status" to see what runs`,
		}
	case errors.Is(err, fs.ErrPermission), errors.As(err, &pe) && pe.Code == protocol.CodeNotAllowed:
		return cli.Hint(fmt.Errorf("cannot ask passenger-%s: %w", daemon, err), "%s", cli.AccessHint(dir.Path()))
	}
	return fmt.Errorf("cannot ask passenger-%s: %w", daemon, err)
}
