package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"passenger/lib/status"
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
	silent := silentParts(st)
	if c.Format == "json" {
		err = writeJSON(map[string]any{"errors": wrong, "unanswered": silent})
	} else {
		err = c.writeErrors(wrong, silent)
	}
	if err != nil {
		return err
	}
	return unanswered(st)
}

// silentParts are the daemons that gave no answer: what they know is missing.
func silentParts(st status.Status) []string {
	silent := []string{}
	for _, p := range st.Parts {
		if p.State != status.Up {
			silent = append(silent, p.Name)
		}
	}
	return silent
}

func (c *command) writeErrors(wrong []event.Event, silent []string) error {
	for _, part := range silent {
		if err := write(fmt.Sprintf("passenger-%s does not answer: what it knows is missing here\n", part)); err != nil {
			return err
		}
	}
	if len(wrong) == 0 && len(silent) == 0 {
		return write("nothing went wrong lately\n")
	}
	for _, x := range wrong {
		if err := write(x.Text(pen())); err != nil {
			return err
		}
	}
	return nil
}
