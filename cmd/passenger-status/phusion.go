package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"passenger/lib/cli"
	"passenger/lib/statedir"
	"passenger/lib/status"
	"passenger/lib/status/phusion"
)

// showAs prints a document in the form of Phusion Passenger's command.
func (c *command) showAs(ctx context.Context, dir statedir.Dir) error {
	if c.Watch || c.Format != "default" {
		return &cli.Error{Err: fmt.Errorf("--show=%s goes with neither --watch nor --format", c.As), Status: cli.Usage}
	}
	switch c.As {
	case "xml":
		return c.showXML(ctx, dir)
	case "requests", "server":
		return c.showServer(ctx, dir)
	case "backtraces":
		return c.showBacktraces(ctx, dir)
	}
	return &cli.Error{Err: fmt.Errorf("unknown document --show=%s", c.As), Status: cli.Usage, Hint: "it is pool, xml, json, requests or backtraces"}
}

func (c *command) showXML(ctx context.Context, dir statedir.Dir) error {
	snapshot, st, err := c.ask(ctx, dir)
	if err != nil {
		return err
	}
	if names := st.AppNames(); c.Show.App != "" && !st.Only(c.Show.App) {
		return unknownApp(c.Show.App, names)
	}
	text, err := phusion.XML(snapshot, st)
	if err == nil {
		err = write(text)
	}
	if err != nil {
		return err
	}
	return unanswered(st)
}

func (c *command) showServer(ctx context.Context, dir statedir.Dir) error {
	all, err := caller.Requests(ctx, dir)
	if err != nil {
		return silent(err, statedir.Proxy, dir)
	}
	text, err := phusion.Server(status.Chosen(all, c.Show.App, 0), time.Now())
	if err != nil {
		return err
	}
	return write(text)
}

// showBacktraces asks the processes of all apps, or of one. Those that refuse,
// as generic ones do, are told as such.
func (c *command) showBacktraces(ctx context.Context, dir statedir.Dir) error {
	found, err := caller.Backtraces(ctx, dir, c.Show.App)
	if errors.Is(err, status.ErrNoProcess) {
		return cli.Hint(errors.New("no process runs"), "run \"passenger-status\" for the apps")
	}
	if err != nil {
		return silent(err, statedir.Spawn, dir)
	}
	return write(inTexts(found))
}
