// Package spawnerror shows a spawn error to people: as text for a terminal, and
// as a page for a browser. The record itself is protocol.SpawnError.
package spawnerror

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/visible"
)

// textOutput is how many of the app's last lines a terminal is shown.
const textOutput = 30

// Text returns the details: the phases, what was run, where it hung and what
// the app wrote last. The summary and the advice stand above it, as error and
// hint. See package visible for what becomes of the app's words.
func Text(e *protocol.SpawnError) string {
	var b strings.Builder
	for _, p := range e.Phases {
		outcome := "done"
		if p.Failed {
			outcome = "failed"
		}
		fmt.Fprintf(&b, "  %-8s %s after %v\n", p.Name, outcome, took(p))
	}
	for _, row := range facts(e) {
		fmt.Fprintf(&b, "  %-8s %s\n", row.Name, visible.Line(row.Value))
	}
	section(&b, "it hung here:", e.Stack)
	section(&b, "the app wrote last:", Tail(e.Output, e.AppRoot, textOutput))
	return b.String()
}

func section(b *strings.Builder, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "  %s\n", title)
	for _, line := range lines {
		fmt.Fprintf(b, "    %s\n", visible.Line(line))
	}
}

func took(p protocol.Phase) time.Duration {
	return time.Duration(p.Took * float64(time.Second)).Round(time.Millisecond)
}

// A fact is one line on what was run.
type fact struct{ Name, Value string }

func facts(e *protocol.SpawnError) []fact {
	all := []fact{{"command", strings.Join(e.Command, " ")}, {"app root", e.AppRoot}, {"user", e.User}, {"waits in", e.WaitsIn}}
	if e.Exit != nil {
		all = append(all, fact{"exit", e.Exit.Cause})
	}
	return slices.DeleteFunc(all, func(f fact) bool { return f.Value == "" })
}

func environment(e *protocol.SpawnError) []fact {
	var all []fact
	for _, name := range slices.Sorted(maps.Keys(e.Environment)) {
		all = append(all, fact{name, e.Environment[name]})
	}
	return all
}
