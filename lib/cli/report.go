package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"passenger/lib/visible"
)

// A reporter tells what a program ended for, in the format of its log: who reads
// that as JSON lines reads this, too. An empty format is that for people.
type reporter struct{ program, format string }

// report prints an error, which may be nil, and returns the exit status that goes
// with it. What it says may be the words of an app.
func (r reporter) report(err error) int {
	if err == nil {
		return Done
	}
	e := Error{Err: err}
	var usage *usageError
	var own *Error
	switch {
	case errors.As(err, &own) && own.Err == nil:
		return own.Status
	case own != nil:
		e.Status, e.Hint, e.Body = own.Status, own.Hint, own.Body
	case errors.As(err, &usage):
		e.Status, e.Hint = Usage, fmt.Sprintf("run \"%s --help\"", r.program)
	}
	e.Status = max(e.Status, Failed)
	if r.format == jsonFormat {
		r.line(&e)
	} else {
		r.text(&e)
	}
	return e.Status
}

func (r reporter) text(e *Error) {
	fmt.Fprintf(os.Stderr, "%s: error: %s\n", r.program, visible.Text(e.Error()))
	if e.Hint != "" {
		fmt.Fprintf(os.Stderr, "%s: hint: %s\n", r.program, visible.Text(e.Hint))
	}
	fmt.Fprint(os.Stderr, visible.Text(e.Body))
}

// line prints the same facts as one line of the log.
func (r reporter) line(e *Error) {
	facts := []any{"process.exit_code", e.Status}
	if e.Hint != "" {
		facts = append(facts, "hint", visible.Text(e.Hint))
	}
	if e.Body != "" {
		facts = append(facts, "output", visible.Text(e.Body))
	}
	slog.New(Handler(os.Stderr, jsonFormat, r.program, slog.LevelInfo)).Error(visible.Text(e.Error()), facts...)
}

// logFormat is the format of the log that a command line which cannot be read, or
// its variable, asks for, as far as that can be told.
func (p *parser) logFormat(args []string) string {
	format := ""
	if p.variables.serves(p.Kong, args) {
		format = os.Getenv(variable(p.program, formatFlag))
	}
	for i, arg := range args {
		name, value, given := strings.Cut(arg, "=")
		switch {
		case arg == "--":
			return format
		case name == "--"+formatFlag && given:
			format = value
		case name == "--"+formatFlag && i+1 < len(args):
			format = args[i+1]
		}
	}
	return format
}
