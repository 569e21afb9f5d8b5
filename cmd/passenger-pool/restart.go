package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/alecthomas/kong"

	"passenger/lib/protocol"
)

type restartCommand struct {
	App         string         `arg:"" name:"app" help:"The app's name, its directory, or one that apps are in."`
	Rolling     bool           `xor:"mode" help:"Start new processes beside the old ones (default)."`
	Blocking    bool           `xor:"mode" help:"Stop the old processes first, for an app that cannot run twice. Requests wait meanwhile."`
	WatchErrors errorRate      `placeholder:"RATE" help:"Bring the old version back if more than this share of responses is 5xx in the first minute (0.05)."`
	Canary      share          `xor:"mode" placeholder:"SHARE" help:"Give the new version this share of the clients first (10%), compare the two, and go on or back by that."`
	For         *time.Duration `placeholder:"DURATION" help:"How long the share of --canary is tried (10m)."`
	Sticky      bool           `help:"Have each client stay with its version while there are two, by a cookie."`
	Promote     bool           `xor:"mode" help:"Go on with the version that is tried by --canary."`
	Abort       bool           `xor:"mode" help:"Go back from the version that is tried by --canary."`
	Wait        bool           `help:"Wait for the outcome: exit with status 5 if the old version serves on, 4 if nothing serves."`
	Timeout     time.Duration  `default:"10m" placeholder:"DURATION" help:"Longest time to wait (${default})."`
	answer
}

// usualTrial is how long a canary has its share without --for.
const usualTrial = 10 * time.Minute

func (c *restartCommand) Run(ctx context.Context, cmd *command) error {
	if c.For == nil {
		c.For = new(usualTrial)
	} else if c.Canary.of == 0 {
		return usageError("--for means nothing without --canary")
	}
	if err := sensible(min(c.Timeout, *c.For)); err != nil {
		return err
	}
	if c.Sticky && c.Canary.of == 0 {
		return usageError("--sticky means nothing without --canary")
	}
	pool, err := cmd.dial()
	if err != nil {
		return err
	}
	if c.Promote || c.Abort {
		return c.order(ctx, cmd, "POST", c.App, "/canary", protocol.CanaryRequest{Promote: c.Promote})
	}
	apps, err := pool.findAll(ctx, c.App)
	if err != nil {
		return err
	}
	end := func(bool) {}
	if c.Wait {
		end = tellProgress(ctx, pool, names(apps))
	}
	replies, err := c.restart(ctx, pool, apps)
	end(err != nil)
	return errors.Join(err, c.print(replies))
}

func names(apps []protocol.App) []string {
	var list []string
	for _, a := range apps {
		list = append(list, a.Name)
	}
	return list
}

// restart restarts apps beside one another, and returns the answers of those
// that did and the first error.
func (c *restartCommand) restart(ctx context.Context, pool *caller, apps []protocol.App) ([]protocol.RestartReply, error) {
	request := protocol.RestartRequest{Mode: "rolling", WatchErrors: c.WatchErrors.rate, Wait: c.Wait, Timeout: c.Timeout.Seconds()}
	if c.Blocking {
		request.Mode = "blocking"
	}
	if c.Canary.of > 0 {
		request.Canary, request.CanaryFor, request.CanarySticky = c.Canary.of, c.For.Seconds(), c.Sticky
		request.Timeout += request.CanaryFor
	}
	replies, failed := make([]protocol.RestartReply, len(apps)), make([]error, len(apps))
	var wg sync.WaitGroup
	for i, a := range apps {
		wg.Go(func() {
			failed[i] = pool.call(ctx, "POST", protocol.PathApps+"/"+a.Name+"/restart", request, &replies[i])
		})
	}
	wg.Wait()
	done := []protocol.RestartReply{}
	for i, err := range failed {
		if err == nil {
			done = append(done, replies[i])
		}
	}
	first := slices.IndexFunc(failed, func(err error) bool { return err != nil })
	if first < 0 {
		return done, nil
	}
	return done, failed[first]
}

// A share is a flag with a share of clients, such as 10% or 0.1.
type share struct{ of float64 } // 0 unless the flag is given

// Decode takes over its value.
func (s *share) Decode(ctx *kong.DecodeContext) error {
	var text string
	if err := ctx.Scan.PopValueInto("share", &text); err != nil {
		return err
	}
	number, percent := strings.CutSuffix(text, "%")
	of, err := strconv.ParseFloat(number, 64)
	if percent {
		of /= 100
	}
	if err != nil || !(of > 0 && of < 1) {
		return fmt.Errorf("%q is not a share over 0 and under 1, such as 10%% or 0.1", text)
	}
	s.of = of
	return nil
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
