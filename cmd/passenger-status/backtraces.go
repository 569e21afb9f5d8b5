package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
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
	if c.Watch {
		return &cli.Error{Err: errors.New("backtraces are not watched: each is asked of the app"), Status: cli.Usage, Hint: "leave --watch out"}
	}
	dir, err := c.dir()
	if err != nil {
		return err
	}
	found, err := status.Caller{Program: program, Release: cli.Release}.Backtraces(ctx, dir, b.Wanted)
	if err != nil {
		return b.inWords(err, dir)
	}
	out := ""
	if c.Format == "json" {
		text, err := marshal(map[string]any{"backtraces": found}, true)
		if err != nil {
			return fmt.Errorf("internal error: %w", err)
		}
		out = string(text) + "\n"
	} else {
		texts := make([]string, len(found))
		for i := range found {
			texts[i] = found[i].Text()
		}
		out = strings.Join(texts, "\n")
	}
	_, err = os.Stdout.WriteString(out)
	return err
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
