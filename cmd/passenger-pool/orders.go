package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"passenger/lib/app"
	"passenger/lib/cli"
	"passenger/lib/protocol"
	"passenger/lib/visible"
)

// An answer is how a command that changes something answers: nothing, unless
// it is asked for.
type answer struct {
	JSON bool `name:"json" help:"Print the pool's answer as JSON; see passenger-protocol(7)."`
}

func (a answer) print(v any) error {
	if !a.JSON {
		return nil
	}
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// order has the pool do something with one app and prints what it answers.
func (a answer) order(ctx context.Context, cmd *command, method, typed, call string, body any) error {
	pool, err := cmd.dial()
	if err != nil {
		return err
	}
	found, err := pool.find(ctx, typed)
	if err != nil {
		return err
	}
	var reply protocol.App
	if err := pool.call(ctx, method, protocol.PathApps+"/"+found.Name+call, body, &reply); err != nil {
		return err
	}
	return a.print(reply)
}

type setCommand struct {
	App      string   `arg:"" name:"app" help:"The app's name, or its directory."`
	Settings []string `arg:"" optional:"" sep:"none" name:"key=value" help:"Keys of Passengerfile.json and what they are to be."`
	Unset    []string `sep:"none" placeholder:"KEY" help:"Give a key its default again. May be repeated."`
	DryRun   bool     `help:"Change nothing; print what would change, and which of it the processes that run do not take over."`
	answer
}

func (c *setCommand) Run(ctx context.Context, cmd *command) error {
	patch, err := c.patch()
	if err != nil {
		return &cli.Error{Err: err, Status: cli.Usage}
	}
	pool, err := cmd.dial()
	if err != nil {
		return err
	}
	found, err := pool.find(ctx, c.App)
	if err != nil {
		return err
	}
	var preview protocol.Preview
	err = pool.call(ctx, "POST", protocol.PathApps+"/"+found.Name+"/preview", patch, &preview)
	switch {
	case c.DryRun && err == nil && c.JSON:
		return c.print(preview)
	case c.DryRun && err == nil:
		_, err = fmt.Print(previewed(preview))
		return err
	case c.DryRun:
		return err
	}
	// What is wrong is told by the change itself, and a pool of a former release knows
	// no preview.
	if err := c.order(ctx, cmd, "PATCH", c.App, "", patch); err != nil {
		return err
	}
	fmt.Fprint(os.Stderr, remaining(preview))
	return nil
}

// previewed are changes for people, one a line.
func previewed(p protocol.Preview) string {
	if len(p.Changes) == 0 {
		return "nothing would change\n"
	}
	how := map[protocol.Effect]string{
		protocol.EffectNow:     "at once",
		protocol.EffectRestart: "by a restart, which begins at once",
		protocol.EffectLater:   "for new processes; those that run need a restart",
	}
	var b strings.Builder
	for _, c := range p.Changes {
		fmt.Fprintf(&b, "%s: %s -> %s (%s)\n", c.Key, visible.Line(string(c.Was)), visible.Line(string(c.Value)), how[c.Effect])
	}
	return b.String()
}

// remaining says which changes the processes that run have not taken over, empty if
// they have all.
func remaining(p protocol.Preview) string {
	var keys []string
	for _, c := range p.Changes {
		switch c.Effect {
		case protocol.EffectRestart:
			return "" // it replaces them
		case protocol.EffectLater:
			keys = append(keys, c.Key)
		}
	}
	if len(keys) == 0 {
		return ""
	}
	return fmt.Sprintf("%s: note: processes of app %q that run go on without the new %s; \"passenger-pool restart %s\" replaces them\n",
		program, p.App, strings.Join(keys, ", "), p.App)
}

// patch is what to change: null means the default.
func (c *setCommand) patch() (map[string]json.RawMessage, error) {
	patch := map[string]json.RawMessage{}
	for _, setting := range c.Settings {
		key, value, ok := strings.Cut(setting, "=")
		if !ok {
			return nil, fmt.Errorf("%q has not the form KEY=VALUE", setting)
		}
		var one protocol.AppConfig
		if err := app.Set(&one, key, value); err != nil {
			return nil, err
		}
		b, err := json.Marshal(one)
		if err != nil {
			return nil, err
		}
		patch[key] = json.RawMessage("null") // a zero is left out, and is the default
		if err := json.Unmarshal(b, &patch); err != nil {
			return nil, err
		}
	}
	for _, key := range c.Unset {
		patch[key] = json.RawMessage("null")
	}
	if len(patch) == 0 {
		return nil, fmt.Errorf("nothing to set")
	}
	return patch, nil
}

type scaleCommand struct {
	App       string `arg:"" name:"app" help:"The app's name, or its directory."`
	Instances string `arg:"" name:"n" help:"How many processes; auto for as many as its settings and the demand say."`
	answer
}

func (c *scaleCommand) Run(ctx context.Context, cmd *command) error {
	var request protocol.ScaleRequest
	if side, n, ok := strings.Cut(c.Instances, "="); ok {
		return &cli.Error{
			Err:    fmt.Errorf("%q is of side processes: scale is for processes that serve requests", c.Instances),
			Hint:   fmt.Sprintf("set \"count\": %s of %q among \"processes\" in the app's settings, see Passengerfile(5), and restart the app", n, side),
			Status: cli.Usage,
		}
	}
	if c.Instances != "auto" {
		n, err := strconv.Atoi(c.Instances)
		if err != nil || n < 0 {
			return &cli.Error{Err: fmt.Errorf("%q is neither a number of processes nor auto", c.Instances), Status: cli.Usage}
		}
		request.Instances = &n
	}
	if err := c.order(ctx, cmd, "POST", c.App, "/scale", request); err != nil || request.Instances == nil {
		return err
	}
	pool, err := cmd.dial()
	if err != nil {
		return err
	}
	list, err := pool.apps(ctx)
	if err != nil {
		return err
	}
	fmt.Fprint(os.Stderr, scarcity(list, c.App))
	return nil
}

// scarcity says that the apps together are to have more processes than the pool
// has room for, and the one that was scaled has to share; empty if they are not.
func scarcity(list protocol.AppList, typed string) string {
	all := 0
	for _, a := range list.Apps {
		all += leastOf(a)
	}
	if all <= list.MaxPoolSize {
		return ""
	}
	return fmt.Sprintf("%s: warning: the pool has at most %d processes, and all apps together are to have %d; app %q gets what is left\n",
		program, list.MaxPoolSize, all, typed)
}

// leastOf is how many processes an app is to have whatever the demand.
func leastOf(a protocol.App) int {
	switch {
	case a.Instances != nil:
		return *a.Instances
	case a.Config.MinInstances != nil:
		return *a.Config.MinInstances
	}
	return 0
}

type detachCommand struct {
	Process string `arg:"" name:"pid" help:"The process's pid, or its ID."`
}

func (c *detachCommand) Run(ctx context.Context, cmd *command) error {
	pool, err := cmd.dial()
	if err != nil {
		return err
	}
	return pool.call(ctx, "DELETE", protocol.PathProcesses+"/"+c.Process, nil, nil)
}

type pauseCommand struct {
	App     string        `arg:"" name:"app" help:"The app's name, or its directory."`
	Page    bool          `help:"Answer requests with a maintenance page and status 503 instead of holding them."`
	Wait    bool          `help:"Wait until no process has a request any more."`
	Timeout time.Duration `default:"10m" placeholder:"DURATION" help:"Longest time to wait (${default})."`
	answer
}

func (c *pauseCommand) Run(ctx context.Context, cmd *command) error {
	if err := sensible(c.Timeout); err != nil {
		return err
	}
	request := protocol.PauseRequest{Page: c.Page, Wait: c.Wait, Timeout: c.Timeout.Seconds()}
	return c.order(ctx, cmd, "POST", c.App, "/pause", request)
}

type resumeCommand struct {
	App string `arg:"" name:"app" help:"The app's name, or its directory."`
	answer
}

func (c *resumeCommand) Run(ctx context.Context, cmd *command) error {
	return c.order(ctx, cmd, "POST", c.App, "/resume", struct{}{})
}

func sensible(timeout time.Duration) error {
	if timeout <= 0 {
		return &cli.Error{Err: fmt.Errorf("a timeout of %v is not allowed: it must be over 0", timeout), Status: cli.Usage}
	}
	return nil
}
