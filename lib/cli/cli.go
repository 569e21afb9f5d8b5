// Package cli is what the four commands share: flags, errors and hints, exit
// statuses.
//
// A command prints its answer on stdout and everything else on stderr. An
// error is one line "name: error: …", in lower case without a full stop, and
// after it there may be a line "name: hint: …" that tells the next step.
package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"passenger/lib/statedir"
)

// Release is the version of these programs. The Makefile sets it.
var Release = "0.1.0-dev"

// Exit statuses, the same in all commands.
const (
	Done      = 0
	Failed    = 1
	Usage     = 2
	NotThere  = 3 // nothing runs there
	NotReady  = 4 // the app did not become ready, as opposed to our own failure
	OldServes = 5 // the deploy failed and the old version serves
)

// Common are the flags of every command.
type Common struct {
	StateDir string           `name:"state-dir" env:"PASSENGER_STATE_DIR" placeholder:"DIR" help:"State directory. Default: /run/passenger for root, else $$XDG_RUNTIME_DIR/passenger."`
	Verbose  bool             `short:"v" help:"Log more."`
	Version  kong.VersionFlag `help:"Print the version."`
}

// TakeStateDir opens the state directory and takes the lock of the daemon, one
// of statedir's names. Where another daemon of the kind holds it, the error
// names that one.
func (c *Common) TakeStateDir(daemon string) (statedir.Dir, *statedir.Lock, error) {
	dir, err := statedir.Open(c.StatePath())
	if err != nil {
		return dir, nil, Hint(fmt.Errorf("cannot start: %w", err), "pass another --state-dir, or set $PASSENGER_STATE_DIR")
	}
	lock, err := dir.Lock(daemon)
	if errors.Is(err, statedir.ErrLocked) {
		return dir, nil, Hint(fmt.Errorf("cannot start: %w", err), "run \"passenger-status\" to see what runs there, or pass another --state-dir")
	}
	if err != nil {
		return dir, nil, fmt.Errorf("cannot start: %w", err)
	}
	return dir, lock, nil
}

// StatePath is the state directory asked for, else the default one.
func (c *Common) StatePath() string {
	if c.StateDir != "" {
		return c.StateDir
	}
	return statedir.Default()
}

// Main parses the arguments into command, runs it and exits. A command has a
// Run(context.Context) error method, or subcommands that have one. The context
// ends on SIGINT and SIGTERM, and its cause names the signal; a second signal,
// SameWish later or more, ends the program at once.
func Main(name, description string, command any) {
	os.Exit(run(name, description, command, os.Args[1:]))
}

func run(name, description string, command any, args []string) int {
	p, err := newParser(name, description, command)
	if err != nil {
		return reporter{name, textFormat}.report(err)
	}
	if p.complete(args) {
		return Done
	}
	parsed, err := p.parse(p.askedForHelp(args))
	if err != nil {
		return reporter{name, p.logFormat(args)}.report(&usageError{err})
	}
	setLog(parsed, name)
	if command := parsed.Selected(); command != nil && command.Name == "serve" {
		outliveReaders()
		p.warnOfUnknown(os.Environ())
	}
	ctx := signalContext()
	parsed.BindTo(ctx, (*context.Context)(nil))
	format, _ := flagValue(parsed, formatFlag).(string) // "" of a command without the flag
	return reporter{name, format}.report(parsed.Run())
}

// outliveReaders lets a daemon go on when who reads its log has ended: a write
// to standard error would end it with SIGPIPE. What it starts has the signal's
// default effect.
func outliveReaders() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// SameWish is how long after the first signal another one means the same:
// timeout(1) sends two, and so does a terminal with a parent that forwards.
const SameWish = time.Second

// signalContext ends on the first SIGTERM or SIGINT; SameWish later these
// signals have their default effect again. A SIGINT that was ignored at start
// stays ignored: the shell does so for a background job, whose parent decides
// when it ends. They are caught until the program has ended: one that comes in
// its last moment does not change its status.
func signalContext() context.Context {
	signals := []os.Signal{syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGINT) {
		signals = append(signals, syscall.SIGINT)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, func() { time.AfterFunc(SameWish, stop) })
	return ctx
}

func setLog(parsed *kong.Context, program string) {
	c := Common{}
	c.Verbose, _ = flagValue(parsed, "verbose").(bool)
	format, _ := flagValue(parsed, formatFlag).(string) // "" of a command without the flag
	events, _ := flagValue(parsed, "security-log").(string)
	slog.SetDefault(slog.New(LogFormat{SecurityLog: events}.Watched(Handler(os.Stderr, format, program, c.Level()), program)))
}

// Level is the least level that the log shows.
func (c *Common) Level() slog.Level {
	if c.Verbose {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

func flagValue(parsed *kong.Context, name string) any {
	for _, f := range parsed.Flags() {
		if f.Name == name {
			return parsed.FlagValue(f)
		}
	}
	return nil
}

// emptyFlag refuses a text that can come from a variable, and that is given but
// empty: a shell's unset variable.
func emptyFlag(parsed *kong.Context) error {
	for _, p := range parsed.Path {
		if p.Flag != nil && len(p.Flag.Envs) > 0 && p.Flag.Target.Kind() == reflect.String && p.Flag.Target.IsZero() {
			return fmt.Errorf("--%s is empty; leave it out or give it a value", p.Flag.Name)
		}
	}
	return nil
}

type usageError struct{ error }

// An Error is an error with the exit status and the hint that go with it.
type Error struct {
	// Err is what to say. If it is nil, Status is the command's answer, and
	// nothing is printed.
	Err    error
	Status int    // 0 means Failed
	Hint   string // empty for none

	// Body follows on stderr: an app's own output, a report.
	Body string
}

func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit status %d", e.Status)
	}
	return e.Err.Error()
}
func (e *Error) Unwrap() error { return e.Err }

// Hint adds a hint to err.
func Hint(err error, format string, args ...any) error {
	return &Error{Err: err, Hint: fmt.Sprintf(format, args...)}
}
