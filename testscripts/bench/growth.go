package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/statedir"
)

const (
	manyProcesses = 200
	manyApps      = 1000
	manyAtOnce    = 4                // first requests
	growthLimit   = 90 * time.Second // for all of them to start
	growthIdle    = 10 * time.Second // in which their daemons are looked at
	statusRuns    = 9
)

// growthRows are what it takes to have much running.
func growthRows() []row {
	return []row{
		{name: "processes", title: fmt.Sprintf("One Rack app with %d processes, its daemons", manyProcesses), figures: growProcesses},
		{name: "many-apps", title: fmt.Sprintf("%d apps, a Go program each, started by their first requests, %d at once", manyApps, manyAtOnce), figures: growApps},
	}
}

// growProcesses starts the processes and leaves them alone.
func growProcesses(ctx context.Context, l *lab) ([]figure, error) {
	began := time.Now()
	s, err := contestant{name: "ours", start: ours("rack", manyProcesses)}.run(l, "")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	list, err := s.awaitProcesses(ctx, manyProcesses)
	if err != nil {
		return nil, err
	}
	took, cpu := time.Since(began), costOf(s.pids(), managers...).cpu
	var starts []float64
	for _, p := range list {
		starts = append(starts, 1000*p.SpawnTook)
	}
	figures := []figure{
		{name: "starts a second", unit: "/s", format: "%.0f", value: manyProcesses / took.Seconds()},
		{name: "one start, as the spawner measures it, median", unit: "ms", format: "%.1f", value: median(starts)},
		{name: "CPU of spawner and pool per start", unit: "ms", format: "%.2f", value: milliseconds(cpu) / manyProcesses},
	}
	select {
	case <-time.After(idleTime):
	case <-ctx.Done():
		return figures, context.Cause(ctx)
	}
	before, began := costOf(s.pids(), managers...), time.Now()
	time.Sleep(growthIdle)
	after := costOf(s.pids(), managers...)
	figures = append(figures,
		figure{name: "CPU of spawner and pool while nothing happens", unit: "ms/s", format: "%.2f", value: milliseconds(after.cpu-before.cpu) / time.Since(began).Seconds()},
		figure{name: "memory of spawner and pool, PSS", unit: "MB", format: "%.1f", value: float64(after.pss) / 1e6})
	status, err := s.status(ctx, l)
	return append(figures, figure{name: "passenger-status, median", unit: "ms", format: "%.0f", value: status}), err
}

// managers are the daemons that have to do with each process.
var managers = []string{"passenger-spawn", "passenger-pool"}

// awaitProcesses returns the processes when so many are ready.
func (s *server) awaitProcesses(ctx context.Context, want int) (ready []protocol.Process, err error) {
	client := control.NewClient(s.stateDir().Socket(statedir.Spawn), "bench", "")
	for limit := time.Now().Add(growthLimit); time.Now().Before(limit); {
		var list protocol.ProcessList
		if err = client.Call(ctx, "GET", protocol.PathProcesses, nil, &list); err == nil {
			ready = slices.DeleteFunc(list.Processes, func(p protocol.Process) bool { return p.State != protocol.Ready })
			if len(ready) == want {
				return ready, nil
			}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-s.exited:
			return nil, fmt.Errorf("it ended instead of serving; it wrote:\n%s", s.tail())
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return nil, fmt.Errorf("%d of %d processes are ready after %v (%v); it wrote:\n%s", len(ready), want, growthLimit, err, s.tail())
}

func (s *server) stateDir() statedir.Dir {
	return statedir.At(filepath.Join(filepath.Dir(s.log), "state"))
}

// status is how long passenger-status takes, in ms.
func (s *server) status(ctx context.Context, l *lab) (float64, error) {
	var took []float64
	for range statusRuns {
		began := time.Now()
		cmd := exec.CommandContext(ctx, filepath.Join(l.bin, "passenger-status"), "--state-dir="+s.stateDir().Path())
		if out, err := cmd.CombinedOutput(); err != nil {
			return 0, fmt.Errorf("passenger-status: %w: %s", err, clip(string(out)))
		}
		took = append(took, milliseconds(time.Since(began)))
	}
	return median(took), nil
}
