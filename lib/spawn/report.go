package spawn

import (
	"fmt"
	"strings"
	"time"

	"passenger/lib/adapter"
	"passenger/lib/protocol"
)

// Report renders a spawn error's details for the terminal: the phases, what
// was run, and the app's last lines. The summary and the advice stand above it
// as error and hint.
func Report(e *protocol.SpawnError) string {
	var b strings.Builder
	for _, p := range e.Phases {
		mark := "done"
		if p.Failed {
			mark = "failed"
		}
		took := time.Duration(p.Took * float64(time.Second)).Round(time.Millisecond)
		fmt.Fprintf(&b, "  %-8s %s after %v\n", p.Name, mark, took)
	}
	if len(e.Command) > 0 {
		fmt.Fprintf(&b, "  command  %s\n", strings.Join(e.Command, " "))
	}
	fmt.Fprintf(&b, "  app root %s\n", e.AppRoot)
	if e.User != "" {
		fmt.Fprintf(&b, "  user     %s\n", e.User)
	}
	if len(e.Output) == 0 {
		return b.String()
	}
	const most = 30
	shown := e.Output[max(0, len(e.Output)-most):]
	b.WriteString("  the app wrote last:\n")
	for _, line := range shown {
		fmt.Fprintf(&b, "    %s\n", line)
	}
	return b.String()
}

// Command is the command line that would start the app, with the adapter's
// place below the state directory left as a name.
func Command(c protocol.AppConfig) ([]string, error) {
	p, err := planFor(c, adapter.Set{})
	if err != nil {
		return nil, err
	}
	return p.shown, nil
}
