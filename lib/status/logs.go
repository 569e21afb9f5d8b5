package status

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/statedir"
)

// logsAtOnce bounds how many processes' outputs are asked for at the same time.
const logsAtOnce = 8

// A LogLine is one line that a process or a preloader of an app wrote.
type LogLine struct {
	App       string `json:"app"`
	Process   string `json:"process_id"`
	PID       int    `json:"pid"`
	Preloader bool   `json:"preloader,omitempty"`
	protocol.OutputLine
}

// Logs asks the spawner for the last lines that the processes of an app wrote, or
// with an empty name those of all apps, those that exited lately included, and its
// preloaders. They are in order of
// time; each process keeps 200 at most. An app that has neither is
// [ErrNoProcess].
func (c Caller) Logs(ctx context.Context, dir statedir.Dir, app string) ([]LogLine, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, backtracePatience, fmt.Errorf("no answer of the spawner within %v", backtracePatience))
	defer cancel()
	client := control.NewClient(dir.Socket(statedir.Spawn), c.Program, c.Release)
	writers, err := c.writersOf(ctx, client, app)
	if err != nil {
		return nil, err
	}
	if len(writers) == 0 {
		return nil, ErrNoProcess
	}
	found := make([][]LogLine, len(writers))
	errs := make([]error, len(writers))
	room := make(chan struct{}, logsAtOnce)
	var wg sync.WaitGroup
	for i, w := range writers {
		wg.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			found[i], errs[i] = w.lines(ctx, client)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	lines := slices.Concat(found...)
	slices.SortStableFunc(lines, func(a, b LogLine) int { return a.At.Compare(b.At) })
	return lines, nil
}

// A writer is a process or a preloader whose output the spawner keeps.
type writer struct {
	app, id string
	pid     int
	path    string // of the call
}

// writersOf asks for no longer than a status does, so that it soon says that a
// spawner is stuck.
func (c Caller) writersOf(ctx context.Context, client *control.Client, app string) ([]writer, error) {
	ctx, cancel := c.Bound(ctx)
	defer cancel()
	var processes protocol.ProcessList
	if err := client.Call(ctx, "GET", protocol.PathProcesses, nil, &processes); err != nil {
		return nil, err
	}
	var preloaders protocol.PreloaderList
	if err := client.Call(ctx, "GET", protocol.PathPreloaders, nil, &preloaders); err != nil {
		return nil, err
	}
	var writers []writer
	for _, p := range processes.Processes {
		if app == "" || p.App == app {
			writers = append(writers, writer{p.App, p.ID, p.PID, protocol.PathProcesses})
		}
	}
	for _, l := range preloaders.Preloaders {
		if app == "" || l.App == app {
			writers = append(writers, writer{l.App, l.ID, l.PID, protocol.PathPreloaders})
		}
	}
	return writers, nil
}

// lines asks for what w wrote. One that is forgotten meanwhile wrote nothing.
func (w writer) lines(ctx context.Context, client *control.Client) ([]LogLine, error) {
	var out protocol.Output
	err := client.Call(ctx, "GET", w.path+"/"+w.id+"/output", nil, &out)
	var refused *protocol.Error
	if errors.As(err, &refused) && (refused.Code == protocol.CodeUnknownProcess || refused.Code == protocol.CodeUnknownRequest) {
		return nil, nil
	}
	lines := make([]LogLine, len(out.Lines))
	for i, l := range out.Lines {
		lines[i] = LogLine{w.app, w.id, w.pid, w.path == protocol.PathPreloaders, l}
	}
	return lines, err
}

// NewLines returns those of now that before did not have, before being the answer
// to the call before. A process that wrote more than it keeps meanwhile has lost
// some.
func NewLines(before, now []LogLine) []LogLine {
	type place struct {
		id string
		at time.Time
	}
	last := map[string]time.Time{}
	many := map[place]int{} // lines of one process at its last moment
	for _, l := range before {
		last[l.Process] = l.At
		many[place{l.Process, l.At}]++
	}
	var fresh []LogLine
	for _, l := range now {
		at, known := last[l.Process]
		switch {
		case known && l.At.Before(at):
			continue
		case known && l.At.Equal(at) && many[place{l.Process, at}] > 0:
			many[place{l.Process, at}]--
			continue
		}
		fresh = append(fresh, l)
	}
	return fresh
}
