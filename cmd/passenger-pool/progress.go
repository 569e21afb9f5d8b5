package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-isatty"

	"passenger/lib/protocol"
	"passenger/lib/visible"
)

const (
	// patience is how long a person waits before being told what for.
	patience = time.Second

	// tellEvery is how often it is looked whether there is something new to tell.
	tellEvery = 500 * time.Millisecond
)

// A progress tells a person at a terminal what the command waits for. It tells a
// script nothing.
type progress struct {
	w     io.Writer
	began time.Time
	told  map[string]string // by app, what was told last
}

// tellProgress tells what apps wait for until end is called, and then, unless
// that failed or was quick, how long it took.
func tellProgress(ctx context.Context, pool *caller, apps []string) (end func(failed bool)) {
	if !isatty.IsTerminal(os.Stderr.Fd()) {
		return func(bool) {}
	}
	p := &progress{w: os.Stderr, began: time.Now(), told: map[string]string{}}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { p.follow(ctx, pool, apps) })
	return func(failed bool) {
		cancel()
		wg.Wait()
		if !failed && p.elapsed() >= patience {
			fmt.Fprintf(p.w, "%s: done in %s\n", program, seconds(p.elapsed()))
		}
	}
}

func (p *progress) elapsed() time.Duration { return time.Since(p.began) }

func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }

func (p *progress) follow(ctx context.Context, pool *caller, apps []string) {
	for wait := patience; ; wait = tellEvery {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		now, err := pool.apps(ctx)
		if err != nil {
			continue // the call that waits tells of it
		}
		now.Apps = slices.DeleteFunc(now.Apps, func(a protocol.App) bool { return !slices.Contains(apps, a.Name) })
		p.tell(now.Apps)
	}
}

// tell prints a line for each app that waits for something else than what was
// told last.
func (p *progress) tell(apps []protocol.App) {
	for _, a := range apps {
		line := waitsFor(a)
		if line != "" && line != p.told[a.Name] {
			fmt.Fprintf(p.w, "%s: app %q, %s: %s\n", program, a.Name, seconds(p.elapsed()), visible.Line(line))
		}
		p.told[a.Name] = line
	}
}

// waitsFor says what an app waits for that restarts or does not serve yet, empty
// for any other.
func waitsFor(a protocol.App) string {
	restarts := a.Restart != nil && a.Restart.EndedAt.IsZero()
	switch {
	case restarts && a.Restart.State == protocol.RestartWatching:
		return "the new version is on trial until " + a.Restart.WatchedUntil.Local().Format(time.TimeOnly)
	case !restarts && serves(a):
		return ""
	}
	var parts []string
	if starting := inState(a, protocol.Starting); len(starting) > 0 {
		parts = append(parts, pids(starting)+" to load")
	}
	if draining := inState(a, protocol.Draining); len(draining) > 0 {
		requests := 0
		for _, p := range draining {
			requests += p.InFlight
		}
		parts = append(parts, fmt.Sprintf("%s to drain, with %d requests in flight", pids(draining), requests))
	}
	if stopping := inState(a, protocol.Stopping); len(stopping) > 0 {
		parts = append(parts, pids(stopping)+" to stop")
	}
	switch {
	case len(parts) > 0:
		return "waiting for " + strings.Join(parts, ", ")
	case a.LastError != nil && !a.NextTry.IsZero():
		return fmt.Sprintf("%s; next try at %s", a.LastError.Summary, a.NextTry.Local().Format(time.TimeOnly))
	}
	return "waiting for room to start a process"
}

func inState(a protocol.App, state protocol.State) []protocol.AppProcess {
	return slices.DeleteFunc(slices.Clone(a.Processes), func(p protocol.AppProcess) bool { return p.State != state })
}

// pids names processes by their pids, as far as they have one yet.
func pids(list []protocol.AppProcess) string {
	var known []string
	for _, p := range list {
		if p.PID > 0 {
			known = append(known, strconv.Itoa(p.PID))
		}
	}
	if len(known) == 0 {
		return processes(len(list))
	}
	return processes(len(list)) + " (pid " + strings.Join(known, ", ") + ")"
}

func processes(n int) string {
	if n == 1 {
		return "1 process"
	}
	return fmt.Sprintf("%d processes", n)
}
