package main

import (
	"context"

	"passenger/lib/status/machine"
)

type memoryCommand struct{}

// Run prints what takes the machine's memory.
func (*memoryCommand) Run(ctx context.Context, c *command) error {
	dir, err := c.once("memory")
	if err != nil {
		return err
	}
	_, st, err := c.ask(ctx, dir)
	if err != nil {
		return err
	}
	r := machine.Look(st)
	if c.Format == "json" {
		err = writeJSON(r)
	} else {
		err = write(r.Text(pen()))
	}
	if err != nil {
		return err
	}
	return unanswered(st)
}
