// Package plan decides all that can be decided before a process is started: its
// command line, its environment, its user and its limits.
package plan

import (
	"context"
	"fmt"
	"maps"
	"os"
	"strconv"
	"time"

	"passenger/lib/account"
	"passenger/lib/adapter"
	"passenger/lib/app"
	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/secret"
	"passenger/lib/spawn/diagnosis"
	"passenger/lib/spawn/environ"
	"passenger/lib/spawn/gate"
	"passenger/lib/spawn/survey"
	"passenger/lib/spawn/switching"
)

// A Plan is all that is decided before a process is started.
type Plan struct {
	Config      protocol.AppConfig
	Kind        string              // the app's type
	Root        string              // the app root with symlinks resolved: the working directory
	Release     survey.Release      // which directory that is
	Args        []string            // the command line
	Preload     []string            // the command line of a preloader, nil if the app cannot or shall not have one
	Promotable  bool                // a forked process keeps its gate, to be made a preloader later on
	Shown       []string            // the command line for people
	Env         map[string]string   // without what the process adds; a start completes it
	Order       gate.Order          // to the process at its gate
	Expected    *survey.Expectation // what the plan was made by, nil if by a look at what lies there now
	Added       environ.Added       // what the process has added to Env
	User        account.User
	Owner       int    // of the startup file: a user's number
	Protocol    string // between proxy and process: protocol.ProtocolHTTP or its like
	ProcessType string // of a side process, empty for one that serves
	Concurrency int    // how many sessions a process takes at once, 0 for any number
}

// A Planner is what a spawner has that plans depend on.
type Planner struct {
	Adapters  adapter.Set
	Switching *switching.Rules // nil where every app runs as our own user

	// ProcessType is that of a side process, which the settings know; empty for one
	// that serves.
	ProcessType string
}

// A Look finds out what lies in an app's directory. It returns an expectation
// where that is what an earlier start has found.
type Look func(context.Context, protocol.AppConfig) (survey.Findings, *survey.Expectation, error)

// For decides how to run the app, within the start timeout. Everything that can
// be wrong before a process exists is found here.
func (m Planner) For(ctx context.Context, c protocol.AppConfig, look Look) (*Plan, error) {
	c = app.WithDefaults(c)
	if err := app.Validate(c); err != nil {
		return nil, err
	}
	limit := time.Duration(c.StartTimeout * float64(time.Second))
	ctx, cancel := context.WithTimeoutCause(ctx, limit, &diagnosis.TimeoutError{Limit: limit})
	defer cancel()
	f, expected, err := look(ctx, c)
	if err != nil {
		return nil, err
	}
	if m.ProcessType != "" {
		c = app.Side(c, m.ProcessType)
	}
	logical, at, found := c.AppRoot, f.Release, f.Detection
	c.AppRoot = at.Path // a symlink that changes meanwhile changes nothing for this process
	c.Type = found.Type
	p := &Plan{Config: c, Owner: f.Owner.UID, Kind: found.Type, Root: at.Path, Release: at, Expected: expected, Protocol: protocol.ProtocolHTTP, ProcessType: m.ProcessType}
	needs, err := p.invoke(f, m.Adapters)
	if err != nil {
		return nil, fmt.Errorf("app %q: %w", c.Name, err)
	}
	needs = append(append(environ.List(found.Env), found.Unset...), needs...)
	if c.MaxConcurrency != nil {
		p.Concurrency = *c.MaxConcurrency
	}
	if err := p.confine(m.Switching, f); err != nil {
		return nil, err
	}
	p.Env = environ.New(c, logical, needs, p.User)
	p.Shown = p.show(p.Args)
	p.Order.Env = environ.SourcesOf(c, p.Env, p.User)
	p.Order.IgnoreQuit = adapter.DumpOf(found.Type) == adapter.DumpSignal
	return p, nil
}

// invoke finds the command line, and returns what it needs in the environment.
func (p *Plan) invoke(f survey.Findings, adapters adapter.Set) (env []string, err error) {
	found := f.Detection
	if p.ProcessType != "" {
		p.Protocol = ""
	}
	if found.Type == protocol.TypeGeneric {
		p.Args = []string{"/bin/sh", "-c", "exec " + found.StartCommand}
		return nil, nil
	}
	spec := adapter.Spec{
		Type: found.Type, AppRoot: p.Root, StartupFile: found.StartupFile, Interpreter: f.Interpreter,
		Threads: p.Config.Threads, WarmUp: p.Config.WarmUp, YJIT: p.Config.YJIT,
	}
	inv, err := adapters.Invocation(spec)
	if err != nil {
		return nil, err
	}
	p.Args, p.Protocol, p.Concurrency = inv.Args, inv.Protocol, inv.Concurrency
	if inv.Preloads && p.Config.SpawnMethod != "direct" {
		spec.Preload = true
		preloader, err := adapters.Invocation(spec)
		if err != nil {
			return nil, err
		}
		p.Preload = preloader.Args
		p.Promotable = p.Config.ReforkAfter > 0 && p.Config.Threads == 1
	}
	return inv.Env, nil
}

// confine decides as which user the process runs and within which limits.
func (p *Plan) confine(sw *switching.Rules, f survey.Findings) error {
	c := p.Config
	change := proc.Change{Dir: p.Root, Device: f.Release.Device, Inode: f.Release.Inode, Nice: c.Nice}
	// Our own OOM score adjustment is not for apps: neither one that protects us
	// nor one that marks us. But only root may lower it.
	if own := proc.OOMScoreAdj(); c.OOMScoreAdj != 0 || own < 0 || own > 0 && os.Geteuid() == 0 {
		change.OOMScoreAdj = &c.OOMScoreAdj
	}
	if c.Umask != "" {
		mask, err := strconv.ParseUint(c.Umask, 8, 32) // app.Validate has
		if err != nil {
			return fmt.Errorf("app %q: umask: %w", c.Name, err)
		}
		umask := int(mask)
		change.Umask = &umask
	}
	for _, s := range c.RLimits {
		l, err := proc.ParseLimit(s)
		if err != nil {
			return fmt.Errorf("app %q: rlimits: %w", c.Name, err)
		}
		change.Limits = append(change.Limits, l)
	}
	p.User = account.Current()
	if sw != nil {
		who, err := sw.Who(c, f)
		if err != nil {
			return err
		}
		p.User = who.User
		change.Switch = &proc.User{UID: who.UID, GID: who.GID, Groups: who.Groups}
		change.NoNewPrivileges = true
	} else if c.User != "" || c.Group != "" {
		return fmt.Errorf("app %q: user and group are set, but this spawner runs every app as user %s; start it as root with --user-switching", c.Name, p.User.Name)
	}
	if c.NoNewPrivileges != nil {
		change.NoNewPrivileges = *c.NoNewPrivileges
	}
	p.Order.Change = change
	return nil
}

// show returns a command line without secrets.
func (p *Plan) show(args []string) []string { return p.Secrets().Lines(secret.Command(args)) }

// Secrets are those of the process's environment.
func (p *Plan) Secrets() secret.Set { return secret.Of(p.Env, p.Added.FromFiles) }

// Add notes what the process has added to its environment.
func (p *Plan) Add(a environ.Added) {
	p.Added = a
	maps.Copy(p.Env, a.Env)
	p.Shown = p.show(p.Args)
}

// Preloading is the plan for the preloader of the processes that p is for.
func (p *Plan) Preloading() *Plan {
	l := *p
	l.Args, l.Preload, l.Promotable = p.Preload, nil, false
	l.Shown = p.show(l.Args)
	l.Env = maps.Clone(p.Env)
	return &l
}

// Interpreter is the program that runs the app, empty for a generic app.
func (p *Plan) Interpreter() string {
	if p.Kind == protocol.TypeGeneric {
		return ""
	}
	return p.Args[0]
}

// Forkable says whether processes may be forked in spite of what the preloader
// warns of. In Ruby such things are common and hooks deal with them, and an app
// that asks for the smart method knows; Python apps were written for a process
// of their own.
func (p *Plan) Forkable(warnings []string) bool {
	return len(warnings) == 0 || p.Kind == protocol.TypeRack || p.Config.SpawnMethod == "smart"
}
