package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"passenger/lib/cli"
	"passenger/lib/statedir"
	"passenger/lib/status"
	"passenger/lib/visible"
)

// logStep is how often "logs -f" looks.
const logStep = 300 * time.Millisecond

type logsCommand struct {
	App    string `arg:"" optional:"" help:"The app's name. Default: all apps."`
	Follow bool   `short:"f" help:"Go on with what is written from now on, until interrupted."`
	Lines  int    `short:"n" default:"20" placeholder:"N" help:"How many lines to show at first (${default})."`
}

// Run prints the last lines that the processes and preloaders of an app wrote, or
// of all apps.
func (l *logsCommand) Run(ctx context.Context, c *command) error {
	if l.Lines < 0 {
		return &cli.Error{Err: fmt.Errorf("-n is %d; it is a number of lines", l.Lines), Status: cli.Usage}
	}
	dir, err := c.once("logs")
	if err != nil {
		return err
	}
	lines, err := caller.Logs(ctx, dir, l.App)
	if err != nil && !(l.Follow && errors.Is(err, status.ErrNoProcess)) {
		return l.inWords(ctx, c, err, dir)
	}
	if err := l.write(c, lines[max(0, len(lines)-l.Lines):]); err != nil {
		return err
	}
	if !l.Follow {
		return nil
	}
	return l.follow(ctx, c, dir, lines)
}

// follow prints what comes until ctx ends. A spawner that is away for a moment
// is waited for: its successor reads the same pipes.
func (l *logsCommand) follow(ctx context.Context, c *command, dir statedir.Dir, before []status.LogLine) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(logStep):
		}
		now, err := caller.Logs(ctx, dir, l.App)
		if err != nil {
			continue
		}
		if err := l.write(c, status.NewLines(before, now)); err != nil {
			return err
		}
		before = now
	}
}

func (l *logsCommand) write(c *command, lines []status.LogLine) error {
	for _, line := range lines {
		var err error
		if c.Format == "json" {
			err = writeLine(line)
		} else {
			who := fmt.Sprint(line.PID)
			if line.Preloader {
				who += " preloader"
			}
			if l.App == "" {
				who = line.App + " " + who
			}
			err = write(fmt.Sprintf("%s %s %s\n", pen().Dim(line.At.Local().Format("15:04:05.000")), pen().Bold(who+":"), visible.Line(line.Text)))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// inWords says in the words of a person why there are no lines.
func (l *logsCommand) inWords(ctx context.Context, c *command, err error, dir statedir.Dir) error {
	if !errors.Is(err, status.ErrNoProcess) {
		return silent(err, statedir.Spawn, dir)
	}
	_, st, lookErr := c.ask(ctx, dir)
	if lookErr != nil {
		return lookErr
	}
	names := st.AppNames()
	if l.App == "" {
		return cli.Hint(errors.New("no process runs, and none ended lately"), "run \"passenger-status errors\" for why")
	}
	if !st.Only(l.App) {
		return unknownApp(l.App, names)
	}
	return cli.Hint(fmt.Errorf("no process of app %q runs, and none ended lately", l.App), "run \"passenger-status errors %s\" for why", l.App)
}
