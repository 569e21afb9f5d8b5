package spawn

import (
	"context"
	"fmt"
	"maps"
	"os"
	"strconv"

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

// A plan is all that is decided before a process is started.
type plan struct {
	config      protocol.AppConfig
	kind        string         // the app's type
	root        string         // the app root with symlinks resolved: the working directory
	release     survey.Release // which directory that is
	args        []string       // the command line
	preload     []string       // the command line of a preloader, nil if the app cannot or shall not have one
	promotable  bool           // a forked process keeps its gate, to be made a preloader later on
	shown       []string       // the command line for people
	env         map[string]string
	order       gate.Order          // for the gate
	expected    *survey.Expectation // what the plan was made by, nil if by a look at what lies there now
	added       environ.Added       // what the process added to env
	user        account.User
	owner       int // of the startup file: a user's number
	protocol    string
	concurrency int
}

// planFor decides how to run the app. Everything that can be wrong before a
// process exists is found here, within the start timeout. look finds out what
// lies in the app's directory.
func (s *Spawner) planFor(ctx context.Context, c protocol.AppConfig, look func(context.Context, protocol.AppConfig) (survey.Findings, *survey.Expectation, error)) (*plan, error) {
	c = app.WithDefaults(c)
	if err := app.Validate(c); err != nil {
		return nil, err
	}
	limit := seconds(c.StartTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, &diagnosis.TimeoutError{Limit: limit})
	defer cancel()
	f, expected, err := look(ctx, c)
	if err != nil {
		return nil, err
	}
	logical, at, found := c.AppRoot, f.Release, f.Detection
	c.AppRoot = at.Path // a symlink that changes meanwhile changes nothing for this process
	c.Type = found.Type
	p := &plan{config: c, owner: f.Owner.UID, kind: found.Type, root: at.Path, release: at, expected: expected, protocol: protocol.ProtocolHTTP}
	needs, err := p.invoke(f, s.adapters)
	if err != nil {
		return nil, fmt.Errorf("app %q: %w", c.Name, err)
	}
	needs = append(append(environ.List(found.Env), found.Unset...), needs...)
	if c.MaxConcurrency != nil {
		p.concurrency = *c.MaxConcurrency
	}
	if err := p.confine(s.Switching, f); err != nil {
		return nil, err
	}
	p.env = environ.New(c, logical, needs, p.user)
	p.shown = p.show(p.args)
	p.order.Env = environ.SourcesOf(c, p.env, p.user)
	p.order.IgnoreQuit = adapter.DumpOf(found.Type) == adapter.DumpSignal
	return p, nil
}

// invoke finds the command line, and returns what it needs in the environment.
func (p *plan) invoke(f survey.Findings, adapters adapter.Set) (env []string, err error) {
	found := f.Detection
	if found.Type == protocol.TypeGeneric {
		p.args = []string{"/bin/sh", "-c", "exec " + found.StartCommand}
		return nil, nil
	}
	spec := adapter.Spec{
		Type: found.Type, AppRoot: p.root, StartupFile: found.StartupFile, Interpreter: f.Interpreter,
		Threads: p.config.Threads, WarmUp: p.config.WarmUp,
	}
	inv, err := adapters.Invocation(spec)
	if err != nil {
		return nil, err
	}
	p.args, p.protocol, p.concurrency = inv.Args, inv.Protocol, inv.Concurrency
	if inv.Preloads && p.config.SpawnMethod != "direct" {
		spec.Preload = true
		preloader, err := adapters.Invocation(spec)
		if err != nil {
			return nil, err
		}
		p.preload = preloader.Args
		p.promotable = p.config.ReforkAfter > 0 && p.config.Threads == 1
	}
	return inv.Env, nil
}

// confine decides as whom the process runs and within which limits.
func (p *plan) confine(sw *switching.Rules, f survey.Findings) error {
	c := p.config
	change := proc.Change{Dir: p.root, Device: f.Release.Device, Inode: f.Release.Inode, Nice: c.Nice}
	// What protects us is not for apps, and what marks us not either; but only
	// root may lower it.
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
	p.user = account.Current()
	if sw != nil {
		who, err := sw.Who(c, f)
		if err != nil {
			return err
		}
		p.user = who.User
		change.Switch = &proc.User{UID: who.UID, GID: who.GID, Groups: who.Groups}
		change.NoNewPrivileges = true
	} else if c.User != "" || c.Group != "" {
		return fmt.Errorf("app %q: user and group are set, but this spawner runs every app as user %s; start it as root with --user-switching", c.Name, p.user.Name)
	}
	if c.NoNewPrivileges != nil {
		change.NoNewPrivileges = *c.NoNewPrivileges
	}
	p.order.Change = change
	return nil
}

// show returns a command line without secrets.
func (p *plan) show(args []string) []string { return p.secrets().Lines(secret.Command(args)) }

// secrets are those of the process's environment.
func (p *plan) secrets() secret.Set { return secret.Of(p.env, p.added.FromFiles) }

// add notes what the process added to its environment.
func (p *plan) add(a environ.Added) {
	p.added = a
	maps.Copy(p.env, a.Env)
	p.shown = p.show(p.args)
}

// preloading is the plan for the preloader of the processes that p is for.
func (p *plan) preloading() *plan {
	l := *p
	l.args, l.preload, l.promotable = p.preload, nil, false
	l.shown = p.show(l.args)
	l.env = maps.Clone(p.env)
	return &l
}

// forkable says whether processes may be forked in spite of what the preloader
// warns of. For Ruby it is common and hooks deal with it, and whoever asks for
// the smart method knows; Python apps were written for a process of their own.
func (p *plan) forkable(warnings []string) bool {
	return len(warnings) == 0 || p.kind == protocol.TypeRack || p.config.SpawnMethod == "smart"
}
