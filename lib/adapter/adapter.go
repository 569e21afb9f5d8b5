// Package adapter holds what runs inside an app's process: the programs, in
// the app's own language, that load the app, take the listening socket from
// descriptor 3 and serve it. They are embedded here and written below the
// state directory, so that an interpreter can open them by path.
//
// What an adapter is told and what it answers is the process contract of
// passenger-protocol(7): LISTEN_FDS for the socket, PASSENGER_NOTIFY_FD for
// READY=1 or the reason why not, SIGTERM to finish and exit.
//
// # Preloaders
//
// A preloader has one end of a SOCK_SEQPACKET pair as descriptor 3
// (PASSENGER_PRELOADER_FD=3) and a notify socket as descriptor 4. It loads the
// app, and says READY=1 with one line X_PASSENGER_WARNING=TEXT for everything
// that forked processes will miss or share. Then each packet {"id":"ID"} with
// the descriptors of stdout, stderr, listening socket, notify socket and gate
// has it fork a process, and is answered by {"id":"ID"}, or by {"id":"ID",
// "error":"cannot fork: …"}. The forked process is its parent's grandchild,
// and its own session. It writes "h" to the gate, goes on at "g", and at the
// gate's end is gone without a trace. The end of descriptor 3 ends the
// preloader.
//
// One that goes on at "k" keeps the gate and takes such packets there, between
// two requests. What it forks for one is a preloader: in the place of the
// listening socket is the socket for its orders.
//
// # Raw connections
//
// An app that writes to the connection itself may keep it, and would then read
// another client's request from it. So before the first raw byte an adapter
// sends the interim response "HTTP/1.1 199 Hijacked", which goes to no client
// and after which no other request comes. WSGI and ASGI have no way to the
// connection; a WebSocket says by its 101 what it is. In Node.js a stale
// reference to a connection that serves another request by now cannot be told
// from that request's own.
//
// The other way round, an app that goes on with an answer whose last byte was
// sent is stopped: the connection is the next request's.
//
// # Stack dumps
//
// A process can be asked where it is, also while it loads the app. Ruby and
// Python, preloaders too, write the stacks of all threads to stderr on SIGQUIT
// and go on. Python does it even within a call of a C library, Ruby when that
// returns. Node.js writes on SIGQUIT what it waits for, but cannot while its
// event loop is blocked. There SIGUSR1 opens the inspector on a port of
// 127.0.0.1, with a secret path that it writes to stderr only; [InspectorURL]
// finds it there, and [InspectorStack] asks and closes it again. A process that is
// blocked in a system call opens none. A thread of its own that would answer
// SIGQUIT at any time costs 12 MB in each process.
// [DumpOf] says which it is.
package adapter

import (
	"fmt"
	"path/filepath"
	"strings"

	"passenger/lib/protocol"
)

// A Spec is what to invoke.
type Spec struct {
	// Type is protocol.TypeRack, TypeWSGI, TypeASGI or TypeNode. A generic app needs no
	// adapter and has no invocation here.
	Type string

	// AppRoot is where the process will run: its working directory.
	AppRoot string

	// StartupFile is relative to AppRoot. For Python it may name the callable:
	// "app.py:app". Empty means the type's conventional name.
	StartupFile string

	// Interpreter is a name or path. Empty means the type's usual one, which
	// execve's caller looks up in PATH.
	Interpreter string

	// Preload asks for a preloader: a process that loads the app, and then
	// forks one that serves for each order that it gets on descriptor 3.
	Preload bool

	// WarmUp are paths that the preloader of a Rack app asks it for, before it
	// forks: what first requests set up is then shared.
	WarmUp []string

	// YJIT enables Ruby's compiler for a Rack app, or keeps it off. nil leaves it
	// to the adapter: where it can be enabled after the app has loaded.
	YJIT *bool

	// Threads is how many requests a Rack or WSGI process answers at once.
	// 0 means 1. It means nothing to the other types.
	Threads int
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

	// Preloads says whether the type has a preloader; see Spec.Preload.
	Preloads bool
}

// A Dump is a way to ask a process where it hangs.
type Dump int

const (
	// DumpSignal is SIGQUIT: the process writes stacks to stderr.
	DumpSignal Dump = iota + 1

	// DumpInspector is SIGUSR1, InspectorURL and InspectorStack.
	DumpInspector
)

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
	args = append(args, program)
	if spec.Preload {
		if !k.preloads {
			return Invocation{}, fmt.Errorf("no preloader for apps of type %q", spec.Type)
		}
		args = append(args, "--preload")
	}
	inv := Invocation{
		Args:        append(args, file),
		Protocol:    k.protocol,
		Concurrency: k.concurrency,
		Preloads:    k.preloads,
	}
	if k.threads && spec.Threads > 1 {
		inv.Env = []string{fmt.Sprintf("PASSENGER_THREADS=%d", spec.Threads)}
		inv.Concurrency = spec.Threads
	}
	if k.warmsUp && len(spec.WarmUp) > 0 {
		inv.Env = append(inv.Env, "PASSENGER_WARM_UP="+strings.Join(spec.WarmUp, "\n"))
	}
	if k.compiles && spec.YJIT != nil {
		wish := "PASSENGER_YJIT=0"
		if *spec.YJIT {
			wish = "PASSENGER_YJIT=1"
		}
		inv.Env = append(inv.Env, wish)
	}
	return inv, nil
}

// DumpOf returns how a process of an app of the type is asked where it hangs, 0
// if it cannot be.
func DumpOf(kind string) Dump { return kinds[kind].dump }

// A kind is what is particular to one type of app.
type kind struct {
	program     string // our part, below the set's directory
	options     []string
	interpreter string
	startupFile string
	protocol    string
	concurrency int
	preloads    bool
	dump        Dump
	threads     bool // takes PASSENGER_THREADS
	warmsUp     bool // takes PASSENGER_WARM_UP
	compiles    bool // takes PASSENGER_YJIT
}

var kinds = map[string]kind{
	protocol.TypeRack: {
		program:     "ruby/rack.rb",
		warmsUp:     true,
		compiles:    true,
		interpreter: "ruby",
		startupFile: "config.ru",
		protocol:    protocol.ProtocolSession,
		concurrency: 1,
		preloads:    true,
		threads:     true,
		dump:        DumpSignal,
	},
	protocol.TypeWSGI: {
		program:     "python/wsgi.py",
		interpreter: "python3",
		startupFile: "passenger_wsgi.py",
		protocol:    protocol.ProtocolSession,
		concurrency: 1,
		preloads:    true,
		threads:     true,
		dump:        DumpSignal,
	},
	protocol.TypeASGI: {
		program:     "python/asgi.py",
		interpreter: "python3",
		startupFile: "passenger_asgi.py",
		protocol:    protocol.ProtocolHTTP,
		dump:        DumpSignal,
	},
	// Node runs the app's own file as its main module, in whichever module
	// system it is written; ours comes before it.
	protocol.TypeNode: {
		program:     "node/preload.cjs",
		options:     []string{"--inspect-publish-uid=stderr", "--require"},
		interpreter: "node",
		startupFile: "app.js",
		protocol:    protocol.ProtocolHTTP,
		dump:        DumpInspector,
	},
}
