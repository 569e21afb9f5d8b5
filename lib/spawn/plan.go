package spawn

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"passenger/lib/adapter"
	"passenger/lib/app"
	"passenger/lib/protocol"
)

// A plan is all that is decided before a process is started.
type plan struct {
	config      protocol.AppConfig
	kind        string   // the app's type
	root        string   // the app root with symlinks resolved: the working directory
	args        []string // the command line
	preload     []string // the command line of a preloader, nil if the app cannot or shall not have one
	shown       []string // the command line for people
	env         map[string]string
	protocol    string
	concurrency int
}

// planFor decides how to run the app. Everything that can be wrong before a
// process exists is found here. resolve finds the app root without symlinks.
func planFor(c protocol.AppConfig, resolve func(string) (string, error), adapters adapter.Set) (*plan, error) {
	c = app.WithDefaults(c)
	if err := app.Validate(c); err != nil {
		return nil, err
	}
	root, err := resolve(c.AppRoot)
	if err != nil {
		return nil, fmt.Errorf("app %q: %w", c.Name, err)
	}
	logical := c.AppRoot
	c.AppRoot = root // a symlink that changes meanwhile changes nothing for this process
	found, err := app.Detect(c)
	if err != nil {
		return nil, err
	}
	p := &plan{config: c, kind: found.Type, root: root, protocol: protocol.ProtocolHTTP}
	var needs []string
	if found.Type == protocol.TypeGeneric {
		p.args = []string{"/bin/sh", "-c", "exec " + found.StartCommand}
	} else {
		inv, err := adapters.Invocation(adapter.Spec{
			Type: found.Type, AppRoot: root, StartupFile: found.StartupFile, Interpreter: Interpreter(c, found.Type),
		})
		if err != nil {
			return nil, fmt.Errorf("app %q: %w", c.Name, err)
		}
		p.args = inv.Args
		p.protocol, p.concurrency, needs = inv.Protocol, inv.Concurrency, inv.Env
	}
	if c.MaxConcurrency != nil {
		p.concurrency = *c.MaxConcurrency
	}
	if adaptersPreload && c.SpawnMethod != "direct" && (found.Type == protocol.TypeRack || found.Type == protocol.TypeWSGI) {
		last := len(p.args) - 1
		p.preload = append(slices.Clone(p.args[:last]), "--preload", p.args[last])
	}
	p.shown = redactCommand(p.args)
	p.env = environment(c, logical, needs)
	return p, nil
}

// adaptersPreload goes when lib/adapter's programs know --preload.
var adaptersPreload = false

// preloading is the plan for the preloader of the processes that p is for.
func (p *plan) preloading() *plan {
	l := *p
	l.args, l.preload = p.preload, nil
	l.shown = redactCommand(l.args)
	l.env = maps.Clone(p.env)
	return &l
}

// forkable says whether processes may be forked in spite of what the preloader
// warns of. For Ruby it is common and hooks deal with it, and whoever asks for
// the smart method knows; Python apps were written for a process of their own.
func (p *plan) forkable(warnings []string) bool {
	return len(warnings) == 0 || p.kind == protocol.TypeRack || p.config.SpawnMethod == "smart"
}

// Interpreter is the program that runs apps of the type: the one set, else for
// Python that of the app's own virtualenv, else empty for the usual one.
func Interpreter(c protocol.AppConfig, kind string) string {
	switch kind {
	case protocol.TypeRack:
		return c.Ruby
	case protocol.TypeNode:
		return c.Nodejs
	}
	if c.Python != "" {
		return c.Python
	}
	for _, dir := range []string{".venv", "venv", "env"} {
		python := filepath.Join(c.AppRoot, dir, "bin", "python")
		if fi, err := os.Stat(python); err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0 {
			return python
		}
	}
	return ""
}
