package plan

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
	for i, arg := range p.Shown {
		p.Shown[i] = strings.Replace(arg, elsewhere, stateDir, 1)
	}
	return p.Shown, nil
}

// Environment is what a process of the app would get from a spawner on the
// state directory that does not switch users, in order of names. A word in angle
// brackets stands for what differs from start to start. Values of secrets are
// hidden unless secrets is true.
func Environment(c protocol.AppConfig, stateDir string, secrets bool) ([]string, error) {
	p, elsewhere, err := planOf(c)
	if err != nil {
		return nil, err
	}
	added, err := p.Order.Env.Read(p.Root)
	if err != nil {
		return nil, fmt.Errorf("app %q: %w", c.Name, err)
	}
	p.Add(added)
	for name, value := range p.Env {
		p.Env[name] = strings.ReplaceAll(value, elsewhere, stateDir)
	}
	port := 0
	if p.Kind == protocol.TypeGeneric {
		port = 1 // any will do; the text below takes its place
	}
	environ.Contract(p.Env, "<its notify socket>", port)
	p.Env["LISTEN_PID"] = "<its pid>"
	if port != 0 {
		p.Env["PORT"] = "<a free port>"
	}
	if !secrets {
		p.Env = p.Secrets().Environment(p.Env)
	}
	return environ.List(p.Env), nil
}

// planOf plans a process that is not to be started. The plan has its adapters in
// the directory elsewhere, which is gone again.
func planOf(c protocol.AppConfig) (p *Plan, elsewhere string, err error) {
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
	p, err = Planner{Adapters: adapters}.For(context.Background(), c, func(_ context.Context, c protocol.AppConfig) (f survey.Findings, _ *survey.Expectation, err error) {
		f, err = survey.Question{Config: c}.Look()
		return f, nil, err
	})
	return p, elsewhere, err
}
