package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"passenger/lib/cli"
	"passenger/lib/statedir"
	"passenger/lib/status"
	"passenger/lib/status/replay"
)

type replayCommand struct {
	App   string        `arg:"" optional:"" help:"Show only this app."`
	Since time.Duration `default:"10m" placeholder:"DURATION" help:"Show so much before the last sample (${default})."`
	Step  time.Duration `placeholder:"DURATION" help:"Put so much into one line, 1s at least. Default: what makes about 40 lines."`
}

// Run shows what the daemons recorded, whether or not they run.
func (r *replayCommand) Run(_ context.Context, c *command) error {
	if r.Since <= 0 || r.Step < 0 {
		return &cli.Error{Err: errors.New("--since and --step take a time over 0"), Status: cli.Usage, Hint: "such as 10m or 30s"}
	}
	dir, err := c.once("replay")
	var nothing *cli.Error
	if errors.As(err, &nothing) && nothing.Status == cli.NotThere { // nothing runs, but its recording may be there
		dir, err = whereRecorded()
	}
	if err != nil {
		return err
	}
	found, err := replay.Read(dir, replay.Query{Since: r.Since, Step: r.Step, App: r.App})
	switch {
	case errors.Is(err, replay.ErrNothing):
		return &cli.Error{
			Err: fmt.Errorf("nothing is recorded in %q", dir.Path()), Status: cli.NotThere,
			Hint: "pass the --state-dir of what ran; daemons that were started with --no-recording keep nothing",
		}
	case errors.Is(err, fs.ErrPermission):
		return cli.Hint(fmt.Errorf("cannot read the recordings in %q: %w", dir.Path(), err), "only root and the user that a daemon runs as may read what it recorded")
	case err != nil:
		return fmt.Errorf("cannot replay: %w", err)
	}
	if c.Format == "json" {
		err = writeJSON(found)
	} else {
		err = write(found.Text(pen()))
	}
	if err != nil {
		return err
	}
	return found.Unread()
}

// whereRecorded is the directory in which daemons recorded that are gone, else the
// default one.
func whereRecorded() (statedir.Dir, error) {
	found := status.FindRecorded()
	if len(found) == 0 {
		return statedir.At(statedir.Default()), nil
	}
	return theOne(found, "have recordings")
}
