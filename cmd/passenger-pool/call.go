package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"passenger/lib/cli"
	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/spawnerror"
	"passenger/lib/spelling"
	"passenger/lib/statedir"
	"passenger/lib/status"
)

// A caller calls the pool of a state directory.
type caller struct {
	*control.Client
	dir string
}

// dial finds the pool: in the directory that was named, else in the one in
// which something runs.
func (c *command) dial() (*caller, error) {
	path := c.StateDir
	if path == "" {
		switch found := status.Find(); len(found) {
		case 0:
			path = statedir.Default()
		case 1:
			path = found[0]
		default:
			return nil, &cli.Error{
				Err: fmt.Errorf("%d state directories are in use", len(found)), Status: cli.Usage,
				Hint: "choose one with --state-dir:", Body: "  " + strings.Join(found, "\n  ") + "\n",
			}
		}
	}
	return &caller{control.NewClient(statedir.At(path).Socket(statedir.Pool), program, cli.Release), path}, nil
}

// call calls, and says in the words of a person what went wrong.
func (c *caller) call(ctx context.Context, method, path string, in, out any) error {
	err := c.Call(ctx, method, path, in, out)
	var pe *protocol.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, control.ErrDown):
		return &cli.Error{
			Err: fmt.Errorf("no pool is running in %q", c.dir), Status: cli.NotThere,
			Hint: `start one with "passenger start" or "passenger-pool serve", or pass the --state-dir of the one that runs`,
		}
	case errors.Is(err, fs.ErrPermission):
		return cli.Hint(fmt.Errorf("cannot reach the pool: %w", err), "%s", cli.AccessHint(c.dir))
	case errors.As(err, &pe):
		return &cli.Error{Err: pe, Status: statusOf(pe.Code), Hint: pe.Hint, Body: report(pe.Details)}
	}
	return err
}

func statusOf(code protocol.Code) int {
	switch code {
	case protocol.CodeRestartFailed:
		return cli.OldServes
	case protocol.CodeSpawnFailed:
		return cli.NotReady
	case protocol.CodeStopping:
		return cli.NotThere
	}
	return cli.Failed
}

// report is what follows an error line for a process that did not get ready,
// empty for another error.
func report(e *protocol.SpawnError) string {
	if e == nil {
		return ""
	}
	return spawnerror.Text(e)
}

func (c *caller) apps(ctx context.Context) (protocol.AppList, error) {
	var list protocol.AppList
	err := c.call(ctx, "GET", protocol.PathApps, nil, &list)
	return list, err
}

// find returns the app that a person means: by its name, or by its directory.
func (c *caller) find(ctx context.Context, typed string) (protocol.App, error) {
	list, err := c.apps(ctx)
	if err != nil {
		return protocol.App{}, err
	}
	var names []string
	for _, a := range list.Apps {
		if a.Name == typed {
			return a, nil
		}
		names = append(names, a.Name)
	}
	if isDirectory(typed) {
		return byDirectory(typed, list.Apps)
	}
	if fi, err := os.Stat(typed); err == nil && fi.IsDir() {
		return protocol.App{}, cli.Hint(fmt.Errorf("unknown app %q", typed), "to name the app in that directory, write ./%s", typed)
	}
	if len(names) == 0 {
		return protocol.App{}, fmt.Errorf("unknown app %q; there are no apps", typed)
	}
	if near := spelling.DidYouMean(typed, names); near != "" {
		return protocol.App{}, fmt.Errorf("unknown app %q%s", typed, near)
	}
	return protocol.App{}, cli.Hint(fmt.Errorf("unknown app %q", typed), "the apps are %s", strings.Join(names, ", "))
}

// findAll returns the apps that a person means: one as find does, or all in a
// directory, in any depth.
func (c *caller) findAll(ctx context.Context, typed string) ([]protocol.App, error) {
	if isDirectory(typed) {
		list, err := c.apps(ctx)
		if err != nil {
			return nil, err
		}
		if below := inDirectory(typed, list.Apps); len(below) > 0 {
			return below, nil
		}
	}
	a, err := c.find(ctx, typed)
	return []protocol.App{a}, err
}

// isDirectory says that what was typed is no name.
func isDirectory(typed string) bool {
	return strings.ContainsRune(typed, '/') || typed == "." || typed == ".."
}

// inDirectory returns the apps whose directories are dir or lie in it, be it by
// their names or by where the symlinks in these lead.
func inDirectory(dir string, apps []protocol.App) []protocol.App {
	plain, err := filepath.Abs(dir)
	if err != nil {
		plain = dir
	}
	return slices.DeleteFunc(slices.Clone(apps), func(a protocol.App) bool {
		return !below(plain, a.Config.AppRoot) && !below(resolved(dir), resolved(a.Config.AppRoot))
	})
}

func below(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && path != "" && filepath.IsLocal(rel)
}

func byDirectory(typed string, apps []protocol.App) (protocol.App, error) {
	path := resolved(typed)
	var found []protocol.App
	var names []string
	for _, a := range apps {
		if resolved(a.Config.AppRoot) == path {
			found = append(found, a)
			names = append(names, a.Name)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return protocol.App{}, fmt.Errorf("no app is in directory %q", typed)
	}
	return protocol.App{}, cli.Hint(fmt.Errorf("%d apps are in directory %q", len(found), typed), "they are %s", strings.Join(names, ", "))
}

// resolved is an absolute path without symlinks, so far as it exists.
func resolved(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if p, err := filepath.EvalSymlinks(path); err == nil {
		return p
	}
	return path
}
