package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"passenger/lib/cli"
	"passenger/lib/control"
	"passenger/lib/proc"
	"passenger/lib/spawn"
)

type serve struct {
	cgroupArgs
	StopOnExit bool `name:"stop-on-exit" help:"On SIGTERM and SIGINT, stop the application processes too. Without it they run on and the next spawner adopts them."`
}

func (s *serve) Run(ctx context.Context, c *command) error {
	st, err := takeStation(c)
	if err != nil {
		return err
	}
	defer st.leave()
	if err := proc.BecomeSubreaper(); err != nil {
		return fmt.Errorf("cannot start: %w", err)
	}
	spawner, err := spawn.New(st.dir, os.Stderr)
	if err != nil {
		return fmt.Errorf("cannot start: %w", err)
	}
	if err := s.use(spawner); err != nil {
		return fmt.Errorf("cannot start: %w", err)
	}
	if s.StopOnExit {
		killOnSecondSignal(ctx, spawner)
	}
	server := &control.Server{Program: "passenger-spawn", Release: cli.Release}
	spawner.Register(ctx, server)
	slog.Info("spawner started", "pid", os.Getpid(), "dir", st.dir.Path(), "version", cli.Release)
	for {
		err = serveUntil(ctx, st, spawner, server)
		if !errors.Is(err, errUpgrade) {
			break
		}
		spawner.Flush()
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

// serveUntil answers calls until ctx ends, or returns errUpgrade when the
// spawner is to replace itself.
func serveUntil(ctx context.Context, st *station, spawner *spawn.Spawner, server *control.Server) error {
	serving, stop := upgradeOnSignal(ctx, spawner)
	defer stop()
	socket, err := st.listener()
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	wg.Go(func() { proc.ReapStrangers(serving, spawner.Ours) })
	wg.Go(func() { proc.KeepSettled(serving) })
	err = server.Serve(serving, socket)
	stop()
	wg.Wait()
	if err == nil && errors.Is(context.Cause(serving), errUpgrade) {
		return errUpgrade
	}
	return err
}
