package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/alecthomas/kong"

	"passenger/lib/cli"
	"passenger/lib/protocol"
)

type restartCommand struct {
	App         string        `arg:"" name:"app" help:"The app's name, or its directory."`
	Rolling     bool          `xor:"mode" help:"Start new processes beside the old ones (default)."`
	Blocking    bool          `xor:"mode" help:"Stop the old processes first, for an app that cannot run twice. Requests wait meanwhile."`
	WatchErrors errorRate     `placeholder:"RATE" help:"Bring the old version back if more than this share of responses is 5xx in the first minute (0.05)."`
	Wait        bool          `help:"Wait for the outcome: exit with status 5 if the old version serves on, 4 if nothing serves."`
	Timeout     time.Duration `default:"10m" placeholder:"DURATION" help:"Longest time to wait (${default})."`
}

func (c *restartCommand) Run(ctx context.Context, cmd *command) error {
	if c.Timeout <= 0 {
		return &cli.Error{Err: fmt.Errorf("a timeout of %v makes no sense", c.Timeout), Status: cli.Usage}
	}
	pool, err := cmd.dial()
	if err != nil {
		return err
	}
	a, err := pool.find(ctx, c.App)
	if err != nil {
		return err
	}
	request := protocol.RestartRequest{Mode: "rolling", WatchErrors: c.WatchErrors.rate, Wait: c.Wait, Timeout: c.Timeout.Seconds()}
	if c.Blocking {
		request.Mode = "blocking"
	}
	return pool.call(ctx, "POST", protocol.PathApps+"/"+a.Name+"/restart", request, nil)
}

// defaultErrorRate is that of --watch-errors without a value.
const defaultErrorRate = 0.05

// An errorRate is a flag that may have a value, a share.
type errorRate struct{ rate *float64 } // nil unless the flag is given

// IsBool tells kong that the flag stands alone, too.
func (r *errorRate) IsBool() bool { return true }

// Decode takes the value behind the equals sign, if there is one.
func (r *errorRate) Decode(ctx *kong.DecodeContext) error {
	rate := defaultErrorRate
	if t := ctx.Scan.Peek(); t.Type == kong.FlagValueToken {
		ctx.Scan.Pop()
		var err error
		if rate, err = strconv.ParseFloat(t.String(), 64); err != nil || !(rate >= 0 && rate < 1) {
			return fmt.Errorf("%q is not a share from 0 to under 1, such as 0.05", t.String())
		}
	}
	r.rate = &rate
	return nil
}
