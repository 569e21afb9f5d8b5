package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"passenger/lib/cli"
	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/statedir"
)

// stopCommand ends the apps of a machine that goes down or is taken out of use.
// The spawner runs on.
type stopCommand struct{}

// startingPause is between two looks at what still runs.
const startingPause = 20 * time.Millisecond

// Run asks the spawner to stop every process, each with its grace, and returns
// when they are gone.
func (stopCommand) Run(ctx context.Context, c *command) error {
	dir, err := statedir.Open(c.StatePath())
	if err != nil {
		return fmt.Errorf("cannot stop the processes: %w", err)
	}
	if pid := dir.Holder(statedir.Pool); pid != 0 {
		return cli.Hint(fmt.Errorf("cannot stop the processes: passenger-pool (pid %d) runs, and would start others", pid),
			"end the pool first; \"passenger-pool remove APP\" stops one app")
	}
	client := control.NewClient(dir.Socket(statedir.Spawn), "passenger-spawn", cli.Release)
	stopped := 0
	for {
		n, err := stopOnce(ctx, client)
		if err != nil {
			return stopError(err, dir.Path())
		}
		if n == 0 {
			break
		}
		stopped = max(stopped, n)
		select { // wait for those that were starting
		case <-time.After(startingPause):
		case <-ctx.Done():
			return stopError(context.Cause(ctx), dir.Path())
		}
	}
	_, err = fmt.Fprintf(os.Stdout, "%d processes stopped\n", stopped)
	return err
}

// stopOnce stops the processes that there are, all at once, and says how many
// that were.
func stopOnce(ctx context.Context, client *control.Client) (int, error) {
	var list protocol.ProcessList
	if err := client.Call(ctx, "GET", protocol.PathProcesses, nil, &list); err != nil {
		return 0, err
	}
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		count int
		errs  []error
	)
	for _, p := range list.Processes {
		if p.State == protocol.Exited {
			continue
		}
		count++
		wg.Go(func() {
			err := client.Call(ctx, "DELETE", protocol.PathProcesses+"/"+p.ID, nil, nil)
			var refused *protocol.Error
			if errors.As(err, &refused) && refused.Code == protocol.CodeUnknownProcess {
				return // it is gone, or has no pid yet
			}
			if err != nil {
				mu.Lock()
				errs = append(errs, fmt.Errorf("process %s of app %q: %w", p.ID, p.App, err))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return count, errors.Join(errs...)
}

func stopError(err error, dir string) error {
	if errors.Is(err, control.ErrDown) {
		return &cli.Error{Err: fmt.Errorf("cannot stop the processes: no spawner runs on %s", dir), Status: cli.NotThere,
			Hint: "start it again, it adopts the processes; or name another --state-dir"}
	}
	return fmt.Errorf("cannot stop the processes: %w", err)
}
