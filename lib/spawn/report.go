package spawn

import (
	"fmt"
	"os"
	"path/filepath"
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

// Command is the command line by which a spawner on the state directory would
// start the app.
func Command(c protocol.AppConfig, stateDir string) ([]string, error) {
	elsewhere, err := os.MkdirTemp("", "passenger-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(elsewhere)
	adapters, err := adapter.Install(elsewhere)
	if err != nil {
		return nil, err
	}
	p, err := (&Spawner{adapters: adapters}).planFor(c, filepath.EvalSymlinks)
	if err != nil {
		return nil, err
	}
	for i, arg := range p.shown {
		p.shown[i] = strings.Replace(arg, elsewhere, stateDir, 1)
	}
	return p.shown, nil
}
