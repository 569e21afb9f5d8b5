package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"passenger/lib/cli"
	"passenger/lib/control"
	"passenger/lib/proc"
	"passenger/lib/spawn"
	"passenger/lib/statedir"
	"passenger/lib/unixsock"
)

type serve struct {
	StopOnExit bool `name:"stop-on-exit" help:"On SIGTERM and SIGINT, stop the application processes too. Without it they run on and the next spawner adopts them."`
}

func (s *serve) Run(ctx context.Context, c *command) error {
	dir, lock, err := c.TakeStateDir(statedir.Spawn)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	socket, err := unixsock.Listen(dir.Socket(statedir.Spawn), 0o600)
	if err != nil {
		return fmt.Errorf("cannot start: %w", err)
	}
	defer os.Remove(dir.Socket(statedir.Spawn))
	if err := proc.BecomeSubreaper(); err != nil {
		return fmt.Errorf("cannot start: %w", err)
	}
	spawner, err := spawn.New(dir, os.Stderr)
	if err != nil {
		return fmt.Errorf("cannot start: %w", err)
	}
	if s.StopOnExit {
		killOnSecondSignal(ctx, spawner)
	}
	server := &control.Server{Program: "passenger-spawn", Release: cli.Release}
	spawner.Register(ctx, server)
	var wg sync.WaitGroup
	wg.Go(func() { proc.ReapStrangers(ctx, spawner.Ours) })
	wg.Go(func() { proc.KeepSettled(ctx) })
	slog.Info("spawner started", "pid", os.Getpid(), "dir", dir.Path())
	err = server.Serve(ctx, socket)
	wg.Wait()
	spawner.Close()
	if s.StopOnExit {
		spawner.StopAll()
	}
	slog.Info("spawner stopped", "reason", context.Cause(ctx))
	return err
}
