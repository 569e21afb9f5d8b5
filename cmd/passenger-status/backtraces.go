package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"passenger/lib/cli"
	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/statedir"
	"passenger/lib/status"
)

type backtracesCommand struct {
	Wanted string `arg:"" name:"app|pid" help:"The app's name; or the pid of a process, or its ID."`
}

// Run prints what the processes do. They go on.
func (b *backtracesCommand) Run(ctx context.Context, c *command) error {
	dir, err := c.once("backtraces")
	if err != nil {
		return err
	}
	found, err := caller.Backtraces(ctx, dir, b.Wanted)
	if err != nil {
		return b.inWords(err, dir)
	}
	if c.Format == "json" {
		return writeJSON(map[string]any{"backtraces": found})
	}
	return write(inTexts(found))
}

// inTexts writes one backtrace after another, an empty line between two.
func inTexts(found []status.Backtrace) string {
	texts := make([]string, len(found))
	for i := range found {
		texts[i] = found[i].Text()
	}
	return strings.Join(texts, "\n")
}

// inWords says in the words of a person why there is no backtrace.
func (b *backtracesCommand) inWords(err error, dir statedir.Dir) error {
	var pe *protocol.Error
	switch {
	case errors.Is(err, status.ErrNoProcess):
		return cli.Hint(fmt.Errorf("no app and no process %q runs", b.Wanted),
			"run \"passenger-status\" for the apps and the pids; a preloader writes its own to its log on \"kill -QUIT PID\"")
	case errors.Is(err, control.ErrDown):
		return &cli.Error{
			Err: fmt.Errorf("no spawner is running in %q", dir.Path()), Status: cli.NotThere,
			Hint: `it is what asks the processes; "kill -QUIT PID" has one of Ruby or Python write its stacks to its log`,
		}
	case errors.Is(err, fs.ErrPermission), errors.As(err, &pe) && pe.Code == protocol.CodeNotAllowed:
		return cli.Hint(fmt.Errorf("cannot reach the spawner: %w", err), "%s", cli.AccessHint(dir.Path()))
	case pe != nil:
		return &cli.Error{Err: pe, Hint: pe.Hint, Status: cli.Failed}
	}
	return err
}
