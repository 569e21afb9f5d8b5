package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"passenger/lib/app"
	"passenger/lib/cli"
)

// appsDir is where the units of the packages have the settings of apps.
const appsDir = "/etc/passenger/apps.d"

type check struct {
	cli.Check
	Files []string `arg:"" optional:"" name:"file" help:"Check the variables in this environment file. Default: /etc/default/passenger, if it is there."`
}

// Run tells all that is wrong with the variables of the service, and which
// settings of apps a spawner that switches users would not believe.
func (c *check) Run() error {
	if len(c.Files) == 0 {
		switch _, err := os.Stat(cli.EnvironmentFile); {
		case err == nil:
			c.Files = []string{cli.EnvironmentFile}
		case !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("cannot check: %w", err)
		default:
			c.Files = []string{""}
		}
	}
	var found []cli.Finding
	for _, path := range c.Files {
		service := &command{}
		more, err := cli.ReadEnvironmentFile("passenger-spawn", service, path)
		if err != nil {
			return fmt.Errorf("cannot check: %w", err)
		}
		found = append(append(found, more...), service.Serve.unbelievable()...)
		if _, err := service.Serve.Group(); err != nil {
			f := cli.FindingOf(err)
			f.File = path
			found = append(found, f)
		}
	}
	return c.Report(found)
}

// unbelievable are the settings of apps that a spawner would refuse which is a
// service: it switches users.
func (s *serve) unbelievable() []cli.Finding {
	if s.AppsDir == "" {
		s.AppsDir = appsDir
	}
	if os.Geteuid() != 0 {
		return []cli.Finding{{File: s.AppsDir, Message: "not looked at: whom the spawner believes is told to root alone", Warning: true}}
	}
	rules := s.rules()
	if err := rules.Check(); err != nil {
		return []cli.Finding{{File: s.AppsDir, Message: err.Error()}}
	}
	var found []cli.Finding
	files, _ := filepath.Glob(filepath.Join(s.AppsDir, "*.json")) // Check has read the directory
	for _, path := range files {
		if _, err := rules.Config(strings.TrimSuffix(filepath.Base(path), ".json")); err != nil {
			f := cli.Finding{File: path, Message: strings.TrimPrefix(err.Error(), path+": ")}
			var m *app.Mistake
			if errors.As(err, &m) {
				continue // passenger-pool check tells it, with its line
			}
			found = append(found, f)
		}
	}
	return found
}
