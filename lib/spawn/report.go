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
	p, elsewhere, err := planOf(c)
	if err != nil {
		return nil, err
	}
	for i, arg := range p.shown {
		p.shown[i] = strings.Replace(arg, elsewhere, stateDir, 1)
	}
	return p.shown, nil
}

// Environment is what a process of the app would get from a spawner on the
// state directory that does not switch users, in order of names. Of what
// differs from start to start, a word in angle brackets says what it is.
// Values of secrets are hidden unless they are asked for.
func Environment(c protocol.AppConfig, stateDir string, secrets bool) ([]string, error) {
	p, elsewhere, err := planOf(c)
	if err != nil {
		return nil, err
	}
	added, err := p.order.Env.read(p.root)
	if err != nil {
		return nil, fmt.Errorf("app %q: %w", c.Name, err)
	}
	p.add(added)
	for name, value := range p.env {
		p.env[name] = strings.ReplaceAll(value, elsewhere, stateDir)
	}
	port := 0
	if p.kind == protocol.TypeGeneric {
		port = 1 // whichever
	}
	contract(p.env, "<its notify socket>", port)
	p.env["LISTEN_PID"] = "<its pid>"
	if port != 0 {
		p.env["PORT"] = "<a free port>"
	}
	if !secrets {
		p.env = p.secrets().Environment(p.env)
	}
	return list(p.env), nil
}

// planOf plans a process that is not to be started. Its adapters would lie in
// the directory elsewhere, which is gone already.
func planOf(c protocol.AppConfig) (p *plan, elsewhere string, err error) {
	elsewhere, err = os.MkdirTemp("", "passenger-")
	if err != nil {
		return nil, "", err
	}
	defer os.RemoveAll(elsewhere)
	adapters, err := adapter.Install(elsewhere)
	if err != nil {
		return nil, "", err
	}
	p, err = (&Spawner{adapters: adapters}).planFor(c, filepath.EvalSymlinks)
	return p, elsewhere, err
}
