package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"passenger/lib/cli"
	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/selftest"
	"passenger/lib/statedir"
)

type selftestCommand struct {
	App      string        `arg:"" name:"app" help:"The app's name, or its directory."`
	Rate     float64       `default:"50" placeholder:"N" help:"Requests a second, at most 1000 (${default})."`
	Duration time.Duration `default:"10s" placeholder:"DURATION" help:"How long, at most 10m (${default})."`
	During   string        `placeholder:"WHAT" help:"What to do meanwhile: restart, kill-pool, kill-spawn or kill-process. Default: nothing."`
	Path     string        `placeholder:"PATH" help:"What to ask for. Default: the app's base_uri."`
	Slow     time.Duration `default:"1s" placeholder:"DURATION" help:"Count requests that took longer (${default})."`
	Address  string        `placeholder:"ADDR" help:"Where to ask: HOST:PORT or unix:PATH. Default: where the proxy listens."`
	answer
}

// Bounds of a test: it is to find what is lost, not to break what it tests.
const (
	mostRate     = 1000
	mostDuration = 10 * time.Minute
)

func (c *selftestCommand) Run(ctx context.Context, cmd *command) error {
	if err := c.check(); err != nil {
		return &cli.Error{Err: err, Status: cli.Usage}
	}
	pool, err := cmd.dial()
	if err != nil {
		return err
	}
	a, err := pool.find(ctx, c.App)
	if err != nil {
		return err
	}
	test, err := c.test(ctx, pool, a)
	if err != nil {
		return fmt.Errorf("cannot test: %w", err)
	}
	report, err := test.Run(ctx)
	if err != nil && report.Requests == 0 {
		return fmt.Errorf("cannot test: %w", err)
	}
	if c.JSON {
		err = errors.Join(err, c.print(report))
	} else {
		fmt.Print(report.Text())
	}
	if err == nil && report.Failed() {
		err = fmt.Errorf("%d of %d requests were lost", report.Lost, report.Requests)
		if report.Recovered < 0 {
			err = fmt.Errorf("%w, and app %q is not as it was before", err, a.Name)
		}
	}
	return err
}

func (c *selftestCommand) check() error {
	known := c.During == ""
	for _, fault := range selftest.Faults {
		known = known || c.During == fault
	}
	switch {
	case !(c.Rate > 0 && c.Rate <= mostRate):
		return fmt.Errorf("--rate is %v; it must be over 0 and at most %d", c.Rate, mostRate)
	case c.Duration <= 0 || c.Duration > mostDuration:
		return fmt.Errorf("--duration is %v; it must be over 0 and at most %v", c.Duration, mostDuration)
	case !known:
		return fmt.Errorf("--during=%s: there are %s", c.During, strings.Join(selftest.Faults, ", "))
	case c.Path != "" && !strings.HasPrefix(c.Path, "/"):
		return fmt.Errorf("--path=%s does not begin with a slash", c.Path)
	}
	return nil
}

// test is the test that was asked for, of the proxy that runs.
func (c *selftestCommand) test(ctx context.Context, pool *caller, a protocol.App) (selftest.Test, error) {
	dial := func(daemon string) *control.Client {
		return control.NewClient(statedir.At(pool.dir).Socket(daemon), program, cli.Release)
	}
	t := selftest.Test{
		Server:   selftest.Server{Pool: pool.Client, Spawn: dial(statedir.Spawn), Proxy: dial(statedir.Proxy), App: a.Name},
		Load:     selftest.Load{Address: c.Address, Host: "localhost", Path: c.Path, Rate: c.Rate},
		Duration: c.Duration, During: c.During, Slow: c.Slow,
	}
	if t.Load.Path == "" {
		t.Load.Path = a.Config.BaseURI
	}
	for _, name := range a.Config.ServerNames {
		if !strings.HasPrefix(name, "*") {
			t.Load.Host = name
			break
		}
	}
	if t.Load.Address != "" {
		return t, nil
	}
	var info protocol.Info
	if err := t.Server.Proxy.Call(ctx, "GET", protocol.PathInfo, nil, &info); err != nil {
		return t, err
	}
	for _, address := range info.Listen {
		if address, ok := plain(address); ok {
			t.Load.Address = address
			return t, nil
		}
	}
	return t, cli.Hint(fmt.Errorf("the proxy listens on %q only", info.Listen), "name an address with --address")
}

// plain is an address of the proxy's as one to call, if it can be called
// without more.
func plain(address string) (string, bool) {
	switch {
	case strings.HasPrefix(address, "unix:"):
		return address, true
	case strings.HasPrefix(address, ":"):
		return "localhost" + address, true
	case strings.HasPrefix(address, "fd:"), strings.HasPrefix(address, "tls:"), !strings.Contains(address, ":"):
		return "", false
	}
	return address, true
}
