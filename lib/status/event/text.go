package event

import (
	"fmt"
	"strings"

	"passenger/lib/spawnerror"
	"passenger/lib/status/layout"
	"passenger/lib/visible"
)

// shownOutput is how many lines of a process follow an event.
const shownOutput = 5

// Text is an event for people: one line, and the advice and the output below it.
func (e Event) Text(pen layout.Pen) string {
	var b strings.Builder
	mark := pen.Green
	if e.Bad() {
		mark = pen.Red
	}
	fmt.Fprintf(&b, "%s  %s  %s\n", pen.Dim(e.At.Local().Format("2006-01-02 15:04:05")), mark(visible.Line(strings.ReplaceAll(e.Event, "_", " "))), e.what())
	if e.Advice != "" {
		fmt.Fprintf(&b, "    advice: %s\n", visible.Line(e.Advice))
	}
	for _, line := range spawnerror.Tail(e.Output, e.AppRoot, shownOutput) {
		fmt.Fprintf(&b, "    app: %s\n", visible.Line(line))
	}
	return b.String()
}

// what says whom an event concerns, and why it came.
func (e Event) what() string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if e.Part != "" {
		add("passenger-%s", visible.Line(e.Part))
	}
	if e.App != "" {
		add("%s", visible.Line(e.App))
	}
	if e.Generation > 0 {
		add("generation %d", e.Generation)
	}
	if e.PID > 0 {
		add("pid %d", e.PID)
	}
	if e.Took > 0 {
		add("after %s", layout.Span(e.Took))
	}
	if e.Count > 0 {
		add("%s", layout.Plural(int(e.Count), "request was sent away", "requests were sent away"))
	}
	if e.File != "" {
		add("%s", visible.Line(e.File))
	}
	what := strings.Join(parts, ", ")
	if e.Cause != "" {
		what += ": " + visible.Line(e.Cause)
	}
	return what
}
