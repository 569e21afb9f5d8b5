// Package adapter holds what runs inside an app's process: the programs, in
// the app's own language, that load the app, take the listening socket from
// descriptor 3 and serve it. They are embedded here and written below the
// state directory, so that an interpreter can open them by path.
//
// What an adapter is told and what it answers is the process contract of
// passenger-protocol(7): LISTEN_FDS for the socket, PASSENGER_NOTIFY_FD for
// READY=1 or the reason why not, SIGTERM to finish and exit.
package adapter

import (
	"fmt"
	"path/filepath"
	"strings"

	"passenger/lib/protocol"
)

// A Spec is what to invoke.
type Spec struct {
	// Type is protocol.TypeRack, TypeWSGI or TypeNode. A generic app needs no
	// adapter and has no invocation here.
	Type string

	// AppRoot is where the process will run: its working directory.
	AppRoot string

	// StartupFile is relative to AppRoot. For WSGI it may name the callable:
	// "app.py:app". Empty means the type's conventional name.
	StartupFile string

	// Interpreter is a name or path. Empty means the type's usual one, looked
	// up in PATH by whoever executes it.
	Interpreter string
}

// An Invocation is how to start one process.
type Invocation struct {
	// Args is the command line, the interpreter first.
	Args []string

	// Env is what the command needs besides the process contract's
	// environment, as NAME=VALUE.
	Env []string

	// Protocol is protocol.ProtocolSession or ProtocolHTTP.
	Protocol string

	// Concurrency is how many sessions the process can take at once, 0 for no
	// limit.
	Concurrency int
}

// Invocation returns how the adapter for spec is started. It looks at no file.
func (s Set) Invocation(spec Spec) (Invocation, error) {
	k, ok := kinds[spec.Type]
	if !ok {
		return Invocation{}, fmt.Errorf("no adapter for apps of type %q", spec.Type)
	}
	file, interpreter := spec.StartupFile, spec.Interpreter
	if file == "" {
		file = k.startupFile
	}
	if strings.HasPrefix(file, "-") {
		file = "./" + file // else the interpreter takes it for an option
	}
	if interpreter == "" {
		interpreter = k.interpreter
	}
	program := filepath.Join(s.dir, filepath.FromSlash(k.program))
	args := append([]string{interpreter}, k.options...)
	return Invocation{
		Args:        append(args, program, file),
		Env:         k.env,
		Protocol:    k.protocol,
		Concurrency: k.concurrency,
	}, nil
}

// A kind is what is particular to one type of app.
type kind struct {
	program     string // our part, below the set's directory
	options     []string
	interpreter string
	startupFile string
	env         []string
	protocol    string
	concurrency int
}

var kinds = map[string]kind{
	protocol.TypeRack: {
		program:     "ruby/rack.rb",
		interpreter: "ruby",
		startupFile: "config.ru",
		protocol:    protocol.ProtocolSession,
		concurrency: 1,
	},
	protocol.TypeWSGI: {
		program:     "python/wsgi.py",
		interpreter: "python3",
		startupFile: "passenger_wsgi.py",
		protocol:    protocol.ProtocolSession,
		concurrency: 1,
	},
	// Node runs the app's own file as its main module, in whichever module
	// system it is written; ours comes before it.
	protocol.TypeNode: {
		program:     "node/preload.cjs",
		options:     []string{"--require"},
		interpreter: "node",
		startupFile: "app.js",
		protocol:    protocol.ProtocolHTTP,
	},
}
