package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unicode"

	"passenger/lib/app"
	"passenger/lib/bug"
	"passenger/lib/cli"
	"passenger/lib/output"
	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/spawn"
	"passenger/lib/spawn/plan"
	"passenger/lib/spawnerror"
	"passenger/lib/statedir"
)

// appArgs name an app and change its settings.
type appArgs struct {
	AppDir string   `arg:"" name:"appdir" default:"." help:"The app's directory. Default: the current one."`
	Set    []string `name:"set" sep:"none" placeholder:"KEY=VALUE" help:"Set a key of Passengerfile.json. May be repeated."`
}

// config is the app's settings, complete.
func (a appArgs) config() (protocol.AppConfig, error) {
	c, err := a.settings()
	if err != nil {
		return c, err
	}
	return completed(c)
}

// settings reads the app's settings, with those of the command line.
func (a appArgs) settings() (protocol.AppConfig, error) {
	c, err := app.Load(a.AppDir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return c, cli.Hint(err, "name the directory that the app is in")
	}
	if err != nil {
		return c, cli.Hint(err, "see Passengerfile(5) for what an app's directory may hold")
	}
	for _, kv := range a.Set {
		key, value, ok := strings.Cut(kv, "=")
		if !ok {
			return c, wrong(fmt.Errorf("--set %q has not the form KEY=VALUE", kv))
		}
		if err := app.Set(&c, key, value); err != nil {
			return c, wrong(fmt.Errorf("--set: %w", err))
		}
	}
	return c, nil
}

func completed(c protocol.AppConfig) (protocol.AppConfig, error) {
	c = app.WithDefaults(c)
	if err := app.Validate(c); err != nil {
		return c, cli.Hint(err, "see Passengerfile(5)")
	}
	return c, nil
}

type run struct {
	appArgs
	cgroupArgs
	ErrorFormat string `enum:"text,json,html" default:"text" placeholder:"text|json|html" help:"How to tell why the app did not get ready: as text on standard error, or as JSON or a page on standard output (${default})."`
	PrintEnv    bool   `name:"print-env" help:"Start nothing; print the environment that the process would get."`
	ShowSecrets bool   `name:"show-secrets" help:"With --print-env: print the values of secrets too."`
}

func (r *run) Run(ctx context.Context, c *command) error {
	config, err := r.config()
	if err != nil {
		return fmt.Errorf("cannot spawn: %w", err)
	}
	for _, w := range app.Warnings(config) {
		slog.Warn("setting without effect", "warning", w)
	}
	if r.PrintEnv || r.ShowSecrets {
		return r.printEnv(config, c.StatePath())
	}
	dir, release, err := runDir(c)
	if err != nil {
		return err
	}
	defer release()
	if err := proc.BecomeSubreaper(); err != nil {
		return fmt.Errorf("cannot spawn: %w", err)
	}
	log := output.NewLog(os.Stderr, output.Text)
	defer log.Close(logPatience)
	spawner, err := spawn.New(dir, spawn.Options{Log: log})
	if err != nil {
		return fmt.Errorf("cannot spawn: %w", err)
	}
	defer spawner.Close()
	if err := r.use(spawner); err != nil {
		return fmt.Errorf("cannot spawn: %w", err)
	}
	killOnSecondSignal(ctx, spawner)
	reaper, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	bug.Go(func() { proc.ReapStrangers(reaper, spawner.Ours) })
	if config.SpawnMethod == "" {
		config.SpawnMethod = "direct" // a preloader saves time with the second process alone
	}
	record, err := spawner.Spawn(ctx, protocol.SpawnRequest{ID: strings.ToLower(rand.Text()[:8]), App: config.Name, Generation: 1, Config: &config})
	if err != nil {
		return notReady(err, r.ErrorFormat)
	}
	if err := json.NewEncoder(os.Stdout).Encode(record); err != nil {
		return fmt.Errorf("cannot print the record: %w", err)
	}
	return untilExit(ctx, spawner, record.ID)
}

// printEnv prints the environment, a variable a line. A value with a newline or
// another control character in it is quoted as in JSON.
func (r *run) printEnv(config protocol.AppConfig, stateDir string) error {
	if !r.PrintEnv {
		return &cli.Error{Err: errors.New("--show-secrets goes with --print-env"), Status: cli.Usage}
	}
	env, err := plan.Environment(config, stateDir, r.ShowSecrets)
	if err != nil {
		return cli.Hint(fmt.Errorf("cannot tell the environment: %w", err), "see Passengerfile(5) for env_files and load_shell_envvars")
	}
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		if strings.ContainsFunc(value, unicode.IsControl) {
			value = strconv.Quote(value)
		}
		if _, err := fmt.Println(name + "=" + value); err != nil {
			return fmt.Errorf("cannot print the environment: %w", err)
		}
	}
	return nil
}

// untilExit waits until the process ends, or stops it when ctx does.
func untilExit(ctx context.Context, spawner *spawn.Spawner, id string) error {
	for {
		list, changed := spawner.Processes().Wait()
		for _, p := range list.Processes {
			if p.ID == id && p.Exit != nil {
				return fmt.Errorf("app %q: %s", p.App, p.Exit.Cause)
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			_, err := spawner.Stop(id, protocol.StopRequest{})
			return err
		}
	}
}

// runDir is the state directory that --state-dir names, whose lock this run then
// holds like a daemon, else a directory of its own. It leaves alone what
// $PASSENGER_STATE_DIR names: that is the daemons'.
func runDir(c *command) (dir statedir.Dir, release func(), err error) {
	if c.StateDir != "" && c.StateDir != os.Getenv("PASSENGER_STATE_DIR") {
		dir, lock, err := c.TakeStateDir(statedir.Spawn)
		if err != nil {
			return dir, nil, err
		}
		return dir, func() { lock.Unlock() }, nil
	}
	dir, err = privateDir()
	if err != nil {
		return dir, nil, fmt.Errorf("cannot spawn: %w", err)
	}
	return dir, func() { os.RemoveAll(dir.Path()) }, nil
}

// privateDir makes a state directory for this one process.
func privateDir() (statedir.Dir, error) {
	path, err := os.MkdirTemp("", "passenger-")
	if err != nil {
		return statedir.Dir{}, err
	}
	dir, err := statedir.Open(path)
	if err != nil {
		os.RemoveAll(path)
	}
	return dir, err
}

// notReady tells why the app did not get ready, in the format asked for.
func notReady(err error, format string) error {
	var se *protocol.SpawnError
	if !errors.As(err, &se) {
		return err
	}
	e := &cli.Error{Err: fmt.Errorf("cannot spawn app %q: %w", se.App, se), Status: cli.NotReady, Hint: se.Advice}
	var document []byte
	switch format {
	case "json":
		document, err = json.MarshalIndent(se, "", "  ")
	case "html":
		document, err = spawnerror.Page{Error: se}.HTML(), nil
	default:
		shown := *se
		shown.Output = nil // the app's output stands above it already
		e.Body = spawnerror.Text(&shown)
		return e
	}
	if err == nil {
		_, err = os.Stdout.Write(append(document, '\n'))
	}
	if err != nil {
		return fmt.Errorf("cannot print the spawn error: %w", err)
	}
	return e
}
