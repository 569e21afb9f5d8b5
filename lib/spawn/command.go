package spawn

import (
	"context"
	"fmt"
	"os"
	"strings"

	"passenger/lib/adapter"
	"passenger/lib/protocol"
	"passenger/lib/spawn/environ"
	"passenger/lib/spawn/survey"
)

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
	added, err := p.order.Env.Read(p.root)
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
	environ.Contract(p.env, "<its notify socket>", port)
	p.env["LISTEN_PID"] = "<its pid>"
	if port != 0 {
		p.env["PORT"] = "<a free port>"
	}
	if !secrets {
		p.env = p.secrets().Environment(p.env)
	}
	return environ.List(p.env), nil
}

// planOf plans a process that is not to be started. Its adapters would lie in
// the directory elsewhere, which is gone already.
func planOf(c protocol.AppConfig) (p *plan, elsewhere string, err error) {
	c.User, c.Group = "", "" // it can be told all the same
	elsewhere, err = os.MkdirTemp("", "passenger-")
	if err != nil {
		return nil, "", err
	}
	defer os.RemoveAll(elsewhere)
	adapters, err := adapter.Install(elsewhere)
	if err != nil {
		return nil, "", err
	}
	p, err = (&Spawner{adapters: adapters}).planFor(context.Background(), c, func(_ context.Context, c protocol.AppConfig) (f survey.Findings, _ *survey.Expectation, err error) {
		f, err = survey.Question{Config: c}.Look()
		return f, nil, err
	})
	return p, elsewhere, err
}
