package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	Expect   []string      `placeholder:"STATUS" help:"Answers with this status, such as 404 or 4xx, are no errors. May be repeated."`
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
	if err := c.checkPath(ctx, pool, a); err != nil {
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
		err = failed(report)
	}
	return err
}

// failed says what a test found that should not be.
func failed(r selftest.Report) error {
	var found []string
	if r.Lost > 0 {
		found = append(found, fmt.Sprintf("%d of %d requests were lost", r.Lost, r.Requests))
	}
	if r.Errors > 0 {
		found = append(found, fmt.Sprintf("%d of %d were answered with an error", r.Errors, r.Requests))
	}
	if r.Recovered < 0 {
		found = append(found, fmt.Sprintf("app %q is not as it was before", r.App))
	}
	err := errors.New(strings.Join(found, "; "))
	if r.Lost == 0 && r.Recovered >= 0 {
		return cli.Hint(err, "name a page that works with --path, or the status that is right with --expect")
	}
	return err
}

// checkPath refuses a path that is another app's, or no app's at all: the proxy
// would answer in place of this one.
func (c *selftestCommand) checkPath(ctx context.Context, pool *caller, a protocol.App) error {
	if c.Path == "" {
		return nil
	}
	list, err := pool.apps(ctx)
	if err != nil {
		return err
	}
	path, _, _ := strings.Cut(c.Path, "?")
	err = fmt.Errorf("--path=%s is not below %q, where app %q is", c.Path, a.Config.BaseURI, a.Name)
	deepest := a.Config.BaseURI
	if mountedAt(deepest, path) {
		err = nil
	}
	for _, b := range list.Apps {
		if sameHosts(a.Config.ServerNames, b.Config.ServerNames) && mountedAt(b.Config.BaseURI, path) && len(b.Config.BaseURI) > len(deepest) {
			err, deepest = fmt.Errorf("--path=%s is of app %q, not of app %q", c.Path, b.Name, a.Name), b.Config.BaseURI
		}
	}
	if err != nil {
		return &cli.Error{Err: err, Status: cli.Usage, Hint: fmt.Sprintf("a path of app %q begins with %s", a.Name, a.Config.BaseURI)}
	}
	return nil
}

// mountedAt says that an app with the base_uri is asked for the path.
func mountedAt(base, path string) bool {
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(base, "/"))
	return ok && (rest == "" || rest[0] == '/')
}

// sameHosts says that a request for a host of one app may be one of the other.
func sameHosts(one, other []string) bool {
	if len(one) == 0 && len(other) == 0 {
		return true
	}
	return slices.ContainsFunc(one, func(name string) bool { return slices.Contains(other, name) })
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
	case selftest.Statuses(c.Expect).Check() != nil:
		return fmt.Errorf("--expect: %w", selftest.Statuses(c.Expect).Check())
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
		Duration: c.Duration, During: c.During, Slow: c.Slow, Expected: c.Expect,
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
