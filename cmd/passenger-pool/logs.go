package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"passenger/lib/cli"
	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/statedir"
)

type reopenLogsCommand struct{}

// Run has the spawner open the log files of apps anew, and the proxy that of
// requests. One that is down needs no telling: it opens them when it starts.
func (c *reopenLogsCommand) Run(ctx context.Context, cmd *command) error {
	pool, err := cmd.dial()
	if err != nil {
		return err
	}
	up := 0
	var failed []string
	for _, daemon := range []string{statedir.Spawn, statedir.Proxy} {
		client := control.NewClient(statedir.At(pool.dir).Socket(daemon), program, cli.Release)
		err := client.Call(ctx, "POST", protocol.PathLogs, nil, nil)
		if errors.Is(err, control.ErrDown) {
			continue
		}
		if up++; err != nil {
			failed = append(failed, fmt.Sprintf("  passenger-%s: %v\n", daemon, err))
		}
	}
	switch {
	case up == 0:
		return &cli.Error{
			Err: fmt.Errorf("neither a spawner nor a proxy is running in %q", pool.dir), Status: cli.NotThere,
			Hint: "pass the --state-dir of those that run",
		}
	case len(failed) > 0:
		return &cli.Error{
			Err: errors.New("log files were not reopened"), Body: strings.Join(failed, ""),
			Hint: "let the user that the daemon or the app runs as write to their directory:",
		}
	}
	return nil
}
