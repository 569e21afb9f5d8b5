package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"

	"passenger/lib/account"
	"passenger/lib/app"
	"passenger/lib/bug"
	"passenger/lib/cli"
	"passenger/lib/control"
	"passenger/lib/output"
	"passenger/lib/proc"
	"passenger/lib/spawn"
	"passenger/lib/spawn/switching"
	"passenger/lib/systemd"
)

type serve struct {
	cgroupArgs
	cli.ControlSocket
	cli.LogFormat
	cli.Recording
	UserSwitching bool   `help:"Run each app as the owner of its startup file, or as its settings say. Needs root and --apps-dir."`
	AppsDir       string `placeholder:"DIR" help:"With --user-switching: where the settings of the apps are, NAME.json, which only root may write."`
	DefaultUser   string `default:"nobody" placeholder:"NAME" help:"With --user-switching: the user of apps whose startup file is root's (${default})."`
	DefaultGroup  string `placeholder:"NAME" help:"With --user-switching: the group of those apps. Default: the default user's."`
	OutputLines   int    `default:"5000" placeholder:"N" help:"Let each app write at most N lines a second into this log; 0 for any number (${default})."`
	OutputBytes   int    `default:"1048576" placeholder:"N" help:"Let each app write at most N bytes a second into this log; 0 for any number (${default})."`
	WatchReleases bool   `help:"Note the code files of each release at a restart, and say when a later start finds others. See passenger-security(7)."`
	StopOnExit    bool   `name:"stop-on-exit" help:"On SIGTERM and SIGINT, stop the application processes too. Without it they run on and the next spawner adopts them."`
}

// logPatience is how long a log that is not read may hold up the end.
const logPatience = 2 * time.Second

func (s *serve) Run(ctx context.Context, c *command) error {
	switching, err := s.switching()
	if err != nil {
		return err
	}
	group, err := s.Group()
	if err != nil {
		return err
	}
	st, err := takeStation(c, group)
	if err != nil {
		return err
	}
	defer st.leave()
	st.manager = systemd.Started()
	if os.Geteuid() == 0 { // an app's command may change to another user by itself
		if err := st.dir.LetThrough(); err != nil {
			return fmt.Errorf("cannot start: %w", err)
		}
	}
	if err := proc.BecomeSubreaper(); err != nil {
		return fmt.Errorf("cannot start: %w", err)
	}
	log := output.NewLog(os.Stderr, s.LogFormat.Output())
	if s.LogFormat.ToJournal() {
		if journal, err := systemd.OpenJournal(systemd.JournalSocket); err == nil { // else they go there without fields
			log.ToJournal(journal)
		}
	}
	defer log.Close(logPatience)
	log.Limit(output.Rate{Lines: max(0, s.OutputLines), Bytes: max(0, s.OutputBytes)})
	slog.SetDefault(slog.New(s.Watched(cli.Handler(log, s.LogFormat.LogFormat, "passenger-spawn", c.Level()), "passenger-spawn")))
	var sink output.Sink = log
	if s.LogFormat.LogFormat == "text" && isatty.IsTerminal(os.Stderr.Fd()) {
		sink = &output.Novel{To: log}
	}
	spawner, err := spawn.New(st.dir, spawn.Options{Log: sink, Switching: switching, Group: group, WatchReleases: s.WatchReleases})
	if err != nil {
		return fmt.Errorf("cannot start: %w", err)
	}
	if err := s.use(spawner); err != nil {
		return fmt.Errorf("cannot start: %w", err)
	}
	if s.StopOnExit {
		killOnSecondSignal(ctx, spawner)
	}
	server := &control.Server{Program: "passenger-spawn", Release: cli.Release, Group: group, SwitchesUsers: switching != nil, Usage: proc.UsageOfSelf}
	spawner.Register(ctx, server)
	st.count(server)
	slog.Info("spawner started", "pid", os.Getpid(), "dir", st.dir.Path(), "version", cli.Release)
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // before the manager hears that we are ready to be told
	defer signal.Stop(hangups)
	bug.Go(func() { reopen(ctx, spawner, hangups) })
	if !s.NoRecording {
		record := recorderOf(st.dir, spawner)
		bug.Go(func() { record.Run(ctx) })
	}
	go st.manager.Report(ctx, func() { spawner.Preloaders() }) // which returns only while the spawner's lock is free
	for {
		err = serveUntil(ctx, st, spawner, server)
		if !errors.Is(err, errUpgrade) {
			break
		}
		spawner.Flush()
		log.Flush(logPatience)
		slog.Error("upgrade failed; this spawner goes on", "err", st.succeed())
		spawner.Resume()
	}
	spawner.Close()
	if s.StopOnExit {
		spawner.StopAll()
	}
	slog.Info("spawner stopped", "reason", context.Cause(ctx))
	return err
}

// reopen opens the apps' log files anew at each SIGHUP.
func reopen(ctx context.Context, spawner *spawn.Spawner, hangups <-chan os.Signal) {
	for {
		select {
		case <-hangups:
			if err := spawner.ReopenLogs(); err != nil {
				slog.Error("could not reopen log files", "err", err)
			} else {
				slog.Info("log files reopened")
			}
		case <-ctx.Done():
			return
		}
	}
}

// switching returns the rules by which users are switched, nil if they are not.
func (s *serve) switching() (*switching.Rules, error) {
	if !s.UserSwitching {
		if s.AppsDir != "" {
			return nil, &cli.Error{Err: errors.New("--apps-dir goes with --user-switching; without it the pool knows the apps"), Status: cli.Usage}
		}
		return nil, nil
	}
	if os.Geteuid() != 0 {
		return nil, cli.Hint(errors.New("cannot start: --user-switching needs root"), "run it as root, or leave the flag out to run every app as your own user")
	}
	if s.AppsDir == "" {
		return nil, &cli.Error{Err: errors.New("--user-switching needs --apps-dir"), Status: cli.Usage, Hint: "apps run as other users only by settings that root alone can write"}
	}
	sw := s.rules()
	if err := sw.Check(); err != nil {
		return nil, fmt.Errorf("cannot start: %w", err)
	}
	return sw, nil
}

// rules are those by which users are switched.
func (s *serve) rules() *switching.Rules {
	return &switching.Rules{AppsDir: s.AppsDir, RunAs: app.RunAs{DefaultUser: s.DefaultUser, DefaultGroup: s.DefaultGroup, Accounts: account.System}}
}

// serveUntil answers calls until ctx ends, or returns errUpgrade when the
// spawner is to replace itself.
func serveUntil(ctx context.Context, st *station, spawner *spawn.Spawner, server *control.Server) error {
	serving, stop := upgradeOnSignal(ctx, spawner)
	defer stop()
	socket, err := listener(st.socket)
	if err != nil {
		return err
	}
	keeper, err := listener(st.keeper)
	if err != nil {
		socket.Close()
		return err
	}
	var wg sync.WaitGroup
	wg.Go(func() { bug.Outlive(serving, func() { st.store.Serve(serving, keeper) }) })
	wg.Go(func() { bug.Outlive(serving, func() { proc.ReapStrangers(serving, spawner.Ours) }) })
	wg.Go(func() { proc.KeepSettled(serving, nil) })
	wg.Go(func() { spawner.Measure(serving) })
	wg.Go(func() { bug.Outlive(serving, func() { spawner.WatchLimits(serving) }) })
	wg.Go(func() { bug.Outlive(serving, func() { spawner.Follow(serving) }) })
	err = server.Serve(serving, socket)
	stop()
	wg.Wait()
	if err == nil && errors.Is(context.Cause(serving), errUpgrade) {
		return errUpgrade
	}
	return err
}
