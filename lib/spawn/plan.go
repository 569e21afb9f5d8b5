package spawn

import (
	"fmt"
	"os"
	"path/filepath"

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
	shown       []string // the command line for people
	env         map[string]string
	protocol    string
	concurrency int
}

// planFor decides how to run the app. Everything that can be wrong before a
// process exists is found here.
func planFor(c protocol.AppConfig, adapters adapter.Set) (*plan, error) {
	c = app.WithDefaults(c)
	if err := app.Validate(c); err != nil {
		return nil, err
	}
	root, err := filepath.EvalSymlinks(c.AppRoot)
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
	p.shown = redactCommand(p.args)
	p.env = environment(c, logical, needs)
	return p, nil
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
