package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mattn/go-isatty"

	"passenger/lib/app"
	"passenger/lib/cli"
	"passenger/lib/spawn/plan"
	"passenger/lib/spelling"
	"passenger/lib/visible"
)

type detect struct {
	appArgs
	JSON  bool     `name:"json" help:"Print JSON. Default when standard output is not a terminal."`
	Field []string `placeholder:"NAME" help:"Print the value of this field of the JSON alone, or of each of these, a line each; empty where there is none."`
}

// detection is what detect prints.
type detection struct {
	Name    string `json:"name"`
	AppRoot string `json:"app_root"`
	app.Detection
	Command []string `json:"command"`

	// Environment is the one that the settings name, empty if they name none.
	Environment string `json:"environment,omitempty"`

	// Warnings are what is odd about the settings.
	Warnings []string `json:"warnings,omitempty"`
}

func (d *detect) Run(c *command) error {
	found, err := d.detect(c)
	if err != nil {
		return err
	}
	var text string
	switch {
	case len(d.Field) > 0:
		if text, err = found.fields(d.Field); err != nil {
			return wrong(err)
		}
	case d.JSON || !isatty.IsTerminal(os.Stdout.Fd()):
		b, err := json.MarshalIndent(found, "", "  ")
		if err != nil {
			return fmt.Errorf("internal error: %w", err)
		}
		text = string(b) + "\n"
	default:
		text = found.text()
	}
	if _, err = os.Stdout.WriteString(text); err != nil {
		return fmt.Errorf("cannot print what the app is: %w", err)
	}
	return nil
}

func (d *detect) detect(c *command) (*detection, error) {
	own, err := d.settings()
	if err != nil {
		return nil, fmt.Errorf("cannot detect: %w", err)
	}
	config, err := completed(own)
	if err != nil {
		return nil, fmt.Errorf("cannot detect: %w", err)
	}
	found, err := app.Detect(config, false)
	if err != nil {
		return nil, cli.Hint(fmt.Errorf("cannot detect: %w", err), "add one of these files, or set startup_file or app_start_command in %s", filepath.Join(config.AppRoot, app.File))
	}
	command, err := plan.Command(config, c.StatePath())
	if err != nil {
		return nil, fmt.Errorf("cannot detect: %w", err)
	}
	return &detection{
		Name: config.Name, AppRoot: config.AppRoot, Detection: found, Command: command,
		Environment: own.Environment, Warnings: app.Warnings(own),
	}, nil
}

// text is what detect prints for people.
func (d *detection) text() string {
	var b strings.Builder
	line := func(name, value string) { fmt.Fprintf(&b, "%-13s %s\n", name+":", visible.Text(value)) }
	line("app", d.Name+" in "+d.AppRoot)
	line("type", d.Type)
	line("because", d.Why)
	if d.StartupFile != "" {
		line("startup file", d.StartupFile)
	}
	environment := d.Environment
	if environment == "" {
		environment = "not set"
	}
	line("environment", environment)
	line("command", strings.Join(d.Command, " "))
	for _, l := range d.Looked {
		line("looked for", l.For+": "+l.Result)
	}
	for _, w := range d.Warnings {
		line("warning", w)
	}
	return b.String()
}

// fields are the values of the fields named, a line each.
func (d *detection) fields(names []string) (string, error) {
	values := map[string]string{
		"name": d.Name, "app_root": d.AppRoot, "app_type": d.Type, "startup_file": d.StartupFile, "environment": d.Environment,
	}
	var b strings.Builder
	for _, name := range names {
		value, ok := values[name]
		if !ok {
			known := make([]string, 0, len(values))
			for k := range values {
				known = append(known, k)
			}
			slices.Sort(known)
			return "", fmt.Errorf("--field: unknown field %q%s (there are %s)", name, spelling.DidYouMean(name, known), strings.Join(known, ", "))
		}
		fmt.Fprintln(&b, visible.Text(strings.ReplaceAll(value, "\n", " ")))
	}
	return b.String(), nil
}
