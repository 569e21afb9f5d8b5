package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-isatty"

	"passenger/lib/protocol"
)

const (
	// patience is how long a restart may take before the person who waits is
	// told what for.
	patience = 3 * time.Second

	// tellEvery is how often it is looked whether there is something new to tell.
	tellEvery = time.Second
)

// tellProgress tells whoever sits at a terminal what the restarts of apps wait
// for, until ctx ends. A script is told nothing.
func tellProgress(ctx context.Context, pool *caller, apps []protocol.App) {
	if !isatty.IsTerminal(os.Stderr.Fd()) {
		return
	}
	told := map[string]string{}
	for wait := patience; ; wait = tellEvery {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		now, err := pool.apps(ctx)
		if err != nil {
			continue // the restart's own call tells of it
		}
		now.Apps = slices.DeleteFunc(now.Apps, func(a protocol.App) bool {
			return !slices.ContainsFunc(apps, func(b protocol.App) bool { return b.Name == a.Name })
		})
		tellChanges(os.Stderr, told, now.Apps)
	}
}

// tellChanges prints a line for each app that waits for something else than
// what was told last, and notes it in told.
func tellChanges(w io.Writer, told map[string]string, apps []protocol.App) {
	for _, a := range apps {
		line := waitsFor(a)
		if line != "" && line != told[a.Name] {
			fmt.Fprintf(w, "%s: app %q: %s\n", program, a.Name, line)
		}
		told[a.Name] = line
	}
}

// waitsFor says what the restart of an app waits for, empty if none is under
// way.
func waitsFor(a protocol.App) string {
	if a.Restart == nil || !a.Restart.EndedAt.IsZero() {
		return ""
	}
	if a.Restart.State == protocol.RestartWatching {
		return "its errors are watched until " + a.Restart.WatchedUntil.Local().Format(time.TimeOnly)
	}
	count := map[protocol.State]int{}
	requests := 0
	for _, p := range a.Processes {
		switch {
		case p.State == protocol.Starting || p.State == protocol.Stopping:
			count[p.State]++
		case p.State == protocol.Draining:
			count[p.State]++
			requests += p.InFlight
		}
	}
	var parts []string
	if n := count[protocol.Starting]; n > 0 {
		parts = append(parts, fmt.Sprintf("%s to load", processes(n)))
	}
	if n := count[protocol.Draining]; n > 0 {
		parts = append(parts, fmt.Sprintf("%s to drain, with %d requests in flight", processes(n), requests))
	}
	if n := count[protocol.Stopping]; n > 0 {
		parts = append(parts, fmt.Sprintf("%s to stop", processes(n)))
	}
	if len(parts) == 0 {
		return "waiting for room to start a process"
	}
	return "waiting for " + strings.Join(parts, ", ")
}

func processes(n int) string {
	if n == 1 {
		return "1 process"
	}
	return fmt.Sprintf("%d processes", n)
}
