package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"passenger/lib/protocol"
	"passenger/lib/visible"
)

type showCommand struct {
	App string `arg:"" name:"app" help:"The app's name, or its directory."`
	answer
}

// Run prints a line for each setting: key, value as JSON, source.
func (c *showCommand) Run(ctx context.Context, cmd *command) error {
	pool, err := cmd.dial()
	if err != nil {
		return err
	}
	a, err := pool.find(ctx, c.App)
	if err != nil {
		return err
	}
	var reply protocol.AppSettings
	if err := pool.call(ctx, "GET", protocol.PathApps+"/"+a.Name+"/settings", nil, &reply); err != nil {
		return err
	}
	if c.JSON {
		return c.print(reply)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, s := range reply.Settings {
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Key, cell(string(s.Value)), cell(sourceOf(s)))
	}
	return w.Flush()
}

// cell is a text that the table takes for one cell.
func cell(text string) string { return visible.Line(strings.ReplaceAll(text, "\t", " ")) }

// sourceOf says where a setting comes from.
func sourceOf(s protocol.Setting) string {
	text := string(s.Source)
	switch {
	case s.File != "" && s.Line > 0:
		text = fmt.Sprintf("%s:%d", s.File, s.Line)
	case s.File != "":
		text = s.File
	case s.Variable != "":
		text = "$" + s.Variable
	}
	switch {
	case s.Source == protocol.SetAtRunTime && s.File != "":
		text = "set at run time, " + text
	case s.Source == protocol.SetAtRunTime:
		text = "set at run time"
	}
	if s.Changed {
		text += "; another value stands there by now, which a reload or restart takes"
	}
	return text
}
