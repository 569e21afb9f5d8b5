package main

import (
	"context"
	"slices"
	"time"

	"passenger/lib/status/event"
)

// eventStep is how often "events -f" looks. The daemons keep what happened for
// a minute at least, so nothing is lost between two looks.
const eventStep = 500 * time.Millisecond

type eventsCommand struct {
	App    string `arg:"" optional:"" help:"Show only those of this app."`
	Follow bool   `short:"f" help:"Go on with what happens from now on, until interrupted."`
}

// Run prints what happened, a line of JSON each, unless text was asked for.
func (e *eventsCommand) Run(ctx context.Context, c *command) error {
	dir, err := c.once("events")
	if err != nil {
		return err
	}
	var follower event.Follower
	for {
		snapshot, st, err := c.ask(ctx, dir)
		if ctx.Err() != nil && e.Follow {
			return nil
		}
		if err != nil {
			return err
		}
		for _, x := range follower.Next(snapshot) {
			if e.App != "" && x.App != e.App {
				continue
			}
			if err := c.writeEvent(x); err != nil {
				return err
			}
		}
		if !e.Follow {
			return unanswered(st)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(eventStep):
		}
	}
}

func (c *command) writeEvent(e event.Event) error {
	if c.Format == "text" {
		return write(e.Text(pen()))
	}
	return writeLine(e)
}

type errorsCommand struct {
	App string `arg:"" optional:"" help:"Show only those of this app."`
}

// Run prints what went wrong lately, the newest last.
func (e *errorsCommand) Run(ctx context.Context, c *command) error {
	dir, err := c.once("errors")
	if err != nil {
		return err
	}
	snapshot, st, err := c.ask(ctx, dir)
	if err != nil {
		return err
	}
	wrong := slices.DeleteFunc(event.Of(snapshot), func(x event.Event) bool { return !x.Bad() || e.App != "" && x.App != e.App })
	if c.Format == "json" {
		err = writeJSON(map[string]any{"errors": wrong})
	} else {
		err = c.writeErrors(wrong)
	}
	if err != nil {
		return err
	}
	return unanswered(st)
}

func (c *command) writeErrors(wrong []event.Event) error {
	if len(wrong) == 0 {
		return write("nothing went wrong lately\n")
	}
	for _, x := range wrong {
		if err := write(x.Text(pen())); err != nil {
			return err
		}
	}
	return nil
}
