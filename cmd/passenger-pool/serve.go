package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/alecthomas/kong"

	"passenger/lib/account"
	"passenger/lib/bug"
	"passenger/lib/cli"
	"passenger/lib/control"
	"passenger/lib/pool"
	"passenger/lib/pool/owner"
	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/recorder"
	"passenger/lib/statedir"
	"passenger/lib/status"
	"passenger/lib/systemd"
)

type serveCommand struct {
	cli.ControlSocket
	cli.LogFormat
	cli.Recording

	AppDirs     []string `arg:"" optional:"" name:"appdir" help:"Directories of apps to run."`
	AppsDir     string   `placeholder:"DIR" help:"Also run the apps that the *.json files in this directory describe; SIGHUP reads them again."`
	KeepDir     string   `placeholder:"DIR" help:"Keep here what add, scale and pause set, over a reboot. Default: pool in systemd's state directory, else nothing is kept longer than the state directory."`
	MaxPoolSize *int     `placeholder:"N" help:"Run at most N processes in all. Default: 6; where a cgroup limits processors, two for each, and one."`
	Surge       int      `name:"restart-surge" default:"1" placeholder:"N" help:"Processes over --max-pool-size that there may be while an app restarts (${default})."`
	Hook        []string `sep:"none" placeholder:"EVENT=COMMAND" help:"Run a shell command on an event, with its record as JSON on stdin. May be repeated; see passenger-pool(1)."`
	Set         []string `name:"set" sep:"none" placeholder:"KEY=VALUE" help:"Set a key of Passengerfile.json for the apps named here; with KEY?=VALUE only where the file of an app has not the key. May be repeated."`
}

// gcPercent keeps the heap small: the collector first runs at 4 MB times this,
// which is more than the pool ever needs at once. It allocates little, so that
// collecting often costs next to nothing.
const gcPercent = 25

func (c *serveCommand) Run(ctx context.Context, parsed *kong.Context, cmd *command) error {
	if wrong := c.wrong(); len(wrong) > 0 {
		return wrong[0]
	}
	hooks, err := c.hooks()
	if err != nil {
		return &cli.Error{Err: err, Status: cli.Usage}
	}
	manager := systemd.Started()
	dir, lock, err := cmd.TakeStateDir(statedir.Pool)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	o, err := c.owner(dir, hooks, cli.VariableOf(parsed, program, "set"))
	if err != nil {
		return refused(err)
	}
	sock, group, err := c.ControlSocket.Listen(dir, statedir.Pool)
	if err != nil {
		return err
	}
	debug.SetGCPercent(gcPercent)
	slog.Info("pool started", "state_dir", dir.Path(), "max_pool_size", c.size())
	if err := serve(ctx, o, sock, group, manager, c.recorder(dir, o)); err != nil {
		return err
	}
	slog.Info("pool stopped; processes run on", "cause", context.Cause(ctx))
	return os.Remove(dir.Socket(statedir.Pool))
}

// size is how many processes there may be in all, as far as it is known at start.
func (c *serveCommand) size() int {
	if c.MaxPoolSize == nil {
		return pool.DefaultSize
	}
	return *c.MaxPoolSize
}

// wrong is all that is wrong with the flags.
func (c *serveCommand) wrong() (list []error) {
	refuse := func(err error) {
		if err != nil {
			list = append(list, &cli.Error{Err: err, Status: cli.Usage})
		}
	}
	if c.size() < 1 {
		refuse(fmt.Errorf("--max-pool-size is %d; it must be at least 1", c.size()))
	}
	refuse(c.checkMinimum())
	if c.Surge < 0 {
		refuse(fmt.Errorf("--restart-surge is %d; it must be 0 or more", c.Surge))
	}
	_, err := c.hooks()
	refuse(err)
	return list
}

// checkMinimum refuses a minimum that is asked for here and can never be. What
// files say is no contradiction in this command line: it is logged.
func (c *serveCommand) checkMinimum() error {
	for _, setting := range c.Set {
		text, ok := strings.CutPrefix(setting, "min_instances=")
		if n, err := strconv.Atoi(text); ok && err == nil && n > c.size() {
			return fmt.Errorf("min_instances is %d and --max-pool-size %d; the minimum is over the maximum", n, c.size())
		}
	}
	return nil
}

// owner makes the owner of the pool. variable is what --set came from, empty for
// the command line.
func (c *serveCommand) owner(dir statedir.Dir, hooks owner.Hooks, variable string) (*owner.Owner, error) {
	spawner := control.NewClient(dir.Socket(statedir.Spawn), program, cli.Release)
	files := owner.Files{Routes: dir.Routes(), Added: dir.Apps(), Keep: c.keep(), Fixed: c.AppsDir, Named: c.AppDirs, Settings: c.Set, Variable: variable}
	limits := pool.Limits{Processes: c.size(), Automatic: c.MaxPoolSize == nil, Surge: c.Surge, Starting: max(2, runtime.NumCPU())}
	return owner.New(owner.NewRemote(spawner), files, limits, hooks)
}

// keep is where what commands set outlives a boot.
func (c *serveCommand) keep() owner.Keep {
	if c.KeepDir != "" {
		return owner.Keep(c.KeepDir)
	}
	if dir, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":"); dir != "" { // systemd.exec(5)
		return owner.Keep(filepath.Join(dir, "pool"))
	}
	return ""
}

func refused(err error) error {
	var pe *protocol.Error
	if errors.As(err, &pe) && pe.Hint != "" {
		return cli.Hint(fmt.Errorf("cannot start: %w", err), "%s", pe.Hint)
	}
	return fmt.Errorf("cannot start: %w", err)
}

// recorder keeps what the pool sees, nil if that is not wanted.
func (c *serveCommand) recorder(dir statedir.Dir, o *owner.Owner) *recorder.Recorder {
	if c.NoRecording {
		return nil
	}
	return &recorder.Recorder{Dir: dir, Daemon: statedir.Pool, Look: func(ctx context.Context) (status.Snapshot, error) {
		list, err := o.Apps(ctx)
		return status.Snapshot{Apps: &list}, err
	}}
}

// serve runs the pool and its control socket until ctx ends. record may be nil.
func serve(ctx context.Context, o *owner.Owner, sock *net.UnixListener, group *account.Group, manager *systemd.Manager, record *recorder.Recorder) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	server := &control.Server{Program: program, Release: cli.Release, Group: group, Usage: proc.UsageOfSelf}
	o.Register(server)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() {
		o.Run(ctx)
	})
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // before the manager hears that we are ready to be told
	defer signal.Stop(hangups)
	wg.Go(func() { bug.Outlive(ctx, func() { reload(ctx, o, hangups) }) })
	wg.Go(func() { proc.KeepSettled(ctx, nil) })
	if record != nil {
		wg.Go(func() { record.Run(ctx) })
	}
	wg.Go(func() { manager.Report(ctx, func() { _, _ = o.Apps(ctx) }) }) // that it answers is the point
	if err := server.Serve(ctx, sock); err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	return nil
}

// reload reads the settings again at each SIGHUP.
func reload(ctx context.Context, o *owner.Owner, hangups <-chan os.Signal) {
	for {
		select {
		case <-hangups:
			if _, err := o.Reload(ctx); err != nil {
				slog.Error("could not read the settings again", "err", err)
			}
		case <-ctx.Done():
			return
		}
	}
}
