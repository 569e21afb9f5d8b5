package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"passenger/lib/statedir"
	"passenger/lib/status"
)

// Bounds of --interval. Looking costs the daemons some milliseconds each time.
const (
	shortestInterval = 100 * time.Millisecond
	longestInterval  = time.Hour
)

// watch shows st and then what is found every interval, until ctx ends.
func (c *command) watch(ctx context.Context, dir statedir.Dir, st status.Status) error {
	show, redraw := c.print, make(chan os.Signal, 1)
	if t := newTerminal(os.Stdout); t != nil && c.Format != "json" {
		t.enter()
		defer t.leave()
		show = func(st status.Status) error { return t.draw(st) }
		signal.Notify(redraw, syscall.SIGWINCH, syscall.SIGCONT)
		defer signal.Stop(redraw)
		defer t.stepAside()()
	}
	tick := time.NewTicker(c.Interval)
	defer tick.Stop()
	for {
		if err := show(st); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-redraw:
			continue
		case <-tick.C:
		}
		next, err := c.look(ctx, dir)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		next.Since(st)
		st = next
	}
}
