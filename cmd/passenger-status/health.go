package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"passenger/lib/cli"
	"passenger/lib/status"
)

type healthCommand struct {
	App      string        `arg:"" optional:"" help:"Judge only this app, and the daemons."`
	Warning  time.Duration `default:"1s" placeholder:"DURATION" help:"From so long a wait in the queue on it is a warning, 0s for never (${default})."`
	Critical time.Duration `default:"10s" placeholder:"DURATION" help:"From so long a wait in the queue on it is critical, 0s for never (${default})."`
}

// Run judges what runs, for a monitoring system: the exit status is 0 to 3 as
// its plug-ins have it, not as our other commands.
func (h *healthCommand) Run(ctx context.Context, c *command) error {
	found := h.judge(ctx, c)
	var err error
	if c.Format == "json" {
		err = writeJSON(found)
	} else {
		err = write(found.Text())
	}
	if err != nil {
		return err
	}
	return exitWith(int(found.Level))
}

func (h *healthCommand) judge(ctx context.Context, c *command) status.Health {
	if c.Watch || c.As != "" {
		return status.Unhealthy(status.Unknown, "health takes neither --watch nor --show")
	}
	dir, err := c.dir()
	var found *cli.Error
	if errors.As(err, &found) {
		if found.Status == cli.NotThere {
			return status.Unhealthy(status.Critical, found.Error())
		}
		return status.Unhealthy(status.Unknown, fmt.Sprintf("%v; %s", found, found.Hint))
	}
	warnOfName(dir, "health")
	snapshot, err := caller.Gather(ctx, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return status.Unhealthy(status.Critical, fmt.Sprintf("nothing is running in %q", dir.Path()))
	}
	if err != nil {
		return status.Unhealthy(status.Unknown, err.Error())
	}
	st := snapshot.Status()
	switch {
	case st.Denied():
		return status.Unhealthy(status.Unknown, "the daemons do not answer this user: "+cli.AccessHint(dir.Path()))
	case !st.Running():
		return status.Unhealthy(status.Critical, fmt.Sprintf("nothing is running in %q", dir.Path()))
	case h.App != "" && !st.Only(h.App):
		return status.Unhealthy(status.Unknown, fmt.Sprintf("unknown app %q", h.App))
	}
	return st.Health(status.Limits{Warning: h.Warning, Critical: h.Critical})
}
