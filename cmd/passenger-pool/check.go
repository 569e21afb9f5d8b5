package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"passenger/lib/app"
	"passenger/lib/cli"
	"passenger/lib/pool/owner"
)

// appsDir is where the units of the packages have the settings of apps.
const appsDir = "/etc/passenger/apps.d"

type checkCommand struct {
	cli.Check
	Paths []string `arg:"" optional:"" name:"path" help:"What to check: directories of apps, directories of *.json files that describe apps, such files, environment files. Default: /etc/default/passenger and the directory it names, else /etc/passenger/apps.d."`
}

// Run tells all that is wrong with the settings that a pool would read. It starts
// nothing, and asks no pool.
func (c *checkCommand) Run() error {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // what a pool would log is told here
	look := &inspection{}
	var err error
	if len(c.Paths) == 0 {
		err = look.service()
	}
	for _, path := range c.Paths {
		err = errors.Join(err, look.at(path))
	}
	if err != nil {
		return fmt.Errorf("cannot check: %w", err)
	}
	return c.Report(look.findings())
}

// An inspection is what a check has looked at.
type inspection struct {
	found     []cli.Finding
	dirs      []string // directories of files that describe apps
	singles   []string // such files
	named     []string // directories of apps
	settings  []string // KEY=VALUE, over those of the named apps
	processes int      // the pool's maximum, 0 if it is not known
}

// service looks at what the unit of the packages reads.
func (l *inspection) service() error {
	dir := appsDir
	switch _, err := os.Stat(cli.EnvironmentFile); {
	case err == nil:
		serve, err := l.environment(cli.EnvironmentFile)
		if err != nil {
			return err
		}
		if serve.AppsDir != "" {
			dir = serve.AppsDir
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	default:
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return cli.Hint(fmt.Errorf("there is neither %s nor %s", cli.EnvironmentFile, appsDir), "name a file or a directory")
		}
	}
	l.dirs = append(l.dirs, dir)
	return nil
}

// environment reads an environment file, and returns what the pool would be.
func (l *inspection) environment(path string) (*serveCommand, error) {
	cmd := &command{}
	found, err := cli.ReadEnvironmentFile(program, cmd, path)
	if err != nil {
		return nil, err
	}
	for _, err := range cmd.Serve.wrong() {
		finding := cli.FindingOf(err)
		finding.File = path
		found = append(found, finding)
	}
	l.found = append(l.found, found...)
	l.processes, l.settings = cmd.Serve.size(), cmd.Serve.Set
	l.named = append(l.named, cmd.Serve.AppDirs...)
	return &cmd.Serve, nil
}

// at looks at one path that was named.
func (l *inspection) at(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	fi, err := os.Stat(path)
	if err != nil {
		return err
	}
	switch {
	case fi.IsDir() && describesApps(path):
		l.dirs = append(l.dirs, path)
	case fi.IsDir():
		l.named = append(l.named, path)
	case filepath.Base(path) == app.File:
		l.named = append(l.named, filepath.Dir(path))
	case filepath.Ext(path) == ".json":
		l.singles = append(l.singles, path)
	default:
		serve, err := l.environment(path)
		if err == nil && serve.AppsDir != "" {
			l.dirs = append(l.dirs, serve.AppsDir)
		}
		return err
	}
	return nil
}

// describesApps says that a directory is no app's, but holds files that describe
// apps.
func describesApps(dir string) bool {
	config, err := app.Load(dir)
	if err != nil {
		return false
	}
	if _, err := os.Stat(filepath.Join(dir, app.File)); err == nil {
		return false
	}
	if _, err := app.Detect(app.WithDefaults(config), false); err == nil {
		return false
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.json")) // no pattern of a user's
	return len(files) > 0
}

// findings are all that is wrong.
func (l *inspection) findings() []cli.Finding {
	files := owner.Files{Named: l.named, Settings: l.settings}
	for i, dir := range l.dirs {
		if i == 0 {
			files.Fixed = dir
			continue
		}
		more, _ := filepath.Glob(filepath.Join(dir, "*.json")) // what cannot be read is told below
		l.singles = append(l.singles, more...)
	}
	for _, f := range files.Check(l.processes, l.singles...) {
		l.found = append(l.found, cli.Finding(f))
	}
	return l.found
}
