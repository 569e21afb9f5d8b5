package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"passenger/lib/cli"
	"passenger/lib/spawn"
)

// killOnSecondSignal kills the processes when a second SIGTERM or SIGINT comes
// while they are being stopped. By its default effect that signal would end this
// program and leave them running.
func killOnSecondSignal(ctx context.Context, spawner *spawn.Spawner) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGINT) { // see cli.Main
		signal.Notify(signals, syscall.SIGINT)
	}
	go func() {
		<-ctx.Done()
		first := time.Now()
		for range signals {
			if time.Since(first) > cli.SameWish {
				spawner.KillAll("killed by us: told to stop a second time")
			}
		}
	}()
}
