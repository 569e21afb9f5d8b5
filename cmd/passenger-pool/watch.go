package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"passenger/lib/app"
	"passenger/lib/cli"
	"passenger/lib/protocol"
	"passenger/lib/sources"
)

// mostTold is how many files the log names that changed together.
const mostTold = 3

type watchCommand struct {
	Apps     []string      `arg:"" optional:"" name:"app" help:"The names of the apps. Default: all, but for those that load changed files themselves."`
	Pattern  []string      `placeholder:"GLOB" help:"Look at files of such names. May be repeated. Default: code, templates and settings of Ruby, Python and Node.js."`
	Ignore   []string      `placeholder:"NAME" help:"Leave out directories of this name, beside node_modules, tmp, public and the like. May be repeated."`
	Interval time.Duration `default:"500ms" placeholder:"DURATION" help:"Time between two looks (${default}). A change is acted on when a look finds no more."`
}

// A watch is what is known of each app that is watched; nil of one that is not.
type watch map[string]*sources.Tree

// Run restarts apps whose files change until ctx ends.
func (c *watchCommand) Run(ctx context.Context, cmd *command) error {
	if c.Interval < 10*time.Millisecond || c.Interval > time.Hour {
		return &cli.Error{Err: fmt.Errorf("--interval is %v; it must be from 10ms to 1h", c.Interval), Status: cli.Usage}
	}
	pool, err := cmd.dial()
	if err != nil {
		return err
	}
	for _, name := range c.Apps {
		if _, err := pool.find(ctx, name); err != nil {
			return err
		}
	}
	if _, err := pool.apps(ctx); err != nil {
		return err
	}
	ticker := time.NewTicker(c.Interval)
	defer ticker.Stop()
	for known := (watch{}); ; {
		if list, err := pool.apps(ctx); err == nil { // a pool that is away comes back
			c.look(ctx, pool, known, list.Apps)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// look looks at the files of all apps once.
func (c *watchCommand) look(ctx context.Context, pool *caller, known watch, apps []protocol.App) {
	for _, a := range apps {
		if len(c.Apps) > 0 && !slices.Contains(c.Apps, a.Name) {
			continue
		}
		tree, met := known[a.Name]
		if !met || tree != nil && tree.Dir != a.Config.AppRoot {
			tree = c.meet(a)
			known[a.Name] = tree
		}
		if tree == nil {
			continue
		}
		if changed := tree.Settled(); changed != nil {
			slog.Info("files changed", "app", a.Name, "files", short(changed))
			restart(ctx, pool, a.Name)
		}
	}
}

// meet takes a first look at an app's files, unless the app does so itself.
func (c *watchCommand) meet(a protocol.App) *sources.Tree {
	if why := app.Reloads(a.Config); why != "" && len(c.Apps) == 0 {
		slog.Info("app loads changed files itself", "app", a.Name, "reason", why)
		return nil
	}
	tree := &sources.Tree{Dir: a.Config.AppRoot, Patterns: c.Pattern, Ignored: c.Ignore}
	if _, complete := tree.Look(); !complete {
		slog.Warn("app has too many files; the rest is not watched", "app", a.Name, "limit", sources.Most)
	}
	slog.Info("files are watched", "app", a.Name, "app_root", a.Config.AppRoot)
	return tree
}

// restart has new processes take the place of the old ones. A version that fails is
// shown as it fails: nobody wants the old one back while the new one is written.
func restart(ctx context.Context, pool *caller, name string) {
	off := 0.0
	request := protocol.RestartRequest{Mode: "blocking", WatchErrors: &off}
	if err := pool.call(ctx, "POST", protocol.PathApps+"/"+name+"/restart", request, nil); err != nil {
		slog.Error("could not restart app for its changed files", "app", name, "err", err)
	}
}

func short(files []string) string {
	if more := len(files) - mostTold; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(files[:mostTold], ", "), more)
	}
	return strings.Join(files, ", ")
}
