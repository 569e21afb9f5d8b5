package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"passenger/lib/cli"
	"passenger/lib/protocol"
	"passenger/lib/statedir"
	"passenger/lib/status/layout"
)

func write(text string) error {
	_, err := os.Stdout.WriteString(text)
	return err
}

// writeJSON writes v indented.
func writeJSON(v any) error {
	b, err := marshal(v, true)
	if err != nil {
		return fmt.Errorf("internal error: %w", err)
	}
	return write(string(b) + "\n")
}

// writeLine writes v as one line of JSON.
func writeLine(v any) error {
	b, err := marshal(v, false)
	if err != nil {
		return fmt.Errorf("internal error: %w", err)
	}
	return write(string(b) + "\n")
}

func marshal(v any, indent bool) ([]byte, error) {
	if indent {
		return json.MarshalIndent(v, "", "  ")
	}
	return json.Marshal(v)
}

func pen() layout.Pen { return layout.Pen(style().Colour) }

// once is the directory for a command that prints once. The word is the
// command's own.
func (c *command) once(word string) (statedir.Dir, error) {
	if c.Watch {
		return statedir.Dir{}, &cli.Error{Err: fmt.Errorf("%q is not watched", word), Status: cli.Usage, Hint: "leave --watch out"}
	}
	if c.As != "" {
		return statedir.Dir{}, &cli.Error{Err: errors.New("--show chooses a document, and so does a command"), Status: cli.Usage, Hint: "leave one of them out"}
	}
	dir, err := c.dir()
	if err == nil {
		warnOfName(dir, word)
	}
	return dir, err
}

// warnOfName says so if the word of a command is an app's name too: the command
// wins, and nobody is to take its answer for the app's.
func warnOfName(dir statedir.Dir, word string) {
	var routes protocol.Routes
	if statedir.ReadJSON(dir.Routes(), &routes) != nil {
		return // no table, no apps that we would know of
	}
	if slices.ContainsFunc(routes.Apps, func(r *protocol.Route) bool { return r.App == word }) {
		fmt.Fprintf(os.Stderr, "%s: note: %q is a command here; \"%s show %s\" shows the app of this name\n", program, word, program, word)
	}
}

// exitWith ends the program with a status of its own and no further word.
func exitWith(status int) error {
	if status == cli.Done {
		return nil
	}
	return &cli.Error{Status: status}
}
