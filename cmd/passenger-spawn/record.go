package main

import (
	"context"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/recorder"
	"passenger/lib/spawn"
	"passenger/lib/statedir"
	"passenger/lib/status"
)

// costStep is how often the recorder has processes measured, which takes a look at
// each process of the machine.
const costStep = 5 * time.Second

// recorderOf keeps what the spawner sees. What processes cost is at most costStep
// old.
func recorderOf(dir statedir.Dir, spawner *spawn.Spawner) *recorder.Recorder {
	var measured time.Time
	costs := map[int]*protocol.Usage{} // by pid
	return &recorder.Recorder{Dir: dir, Daemon: statedir.Spawn, Look: func(context.Context) (status.Snapshot, error) {
		list, preloaders := spawner.Processes().Get(), spawner.Preloaders()
		if time.Since(measured) >= costStep || anyNew(list.Processes, costs) {
			measured = time.Now()
			costs = spawner.Costs()
		}
		list.Processes = append([]protocol.Process(nil), list.Processes...)
		for i, p := range list.Processes {
			list.Processes[i].Usage = costs[p.PID]
		}
		for i, l := range preloaders {
			preloaders[i].Usage = costs[l.PID]
		}
		return status.Snapshot{Processes: &list, Preloaders: &protocol.PreloaderList{Preloaders: preloaders}}, nil
	}}
}

// anyNew says that a process runs that was not measured.
func anyNew(processes []protocol.Process, costs map[int]*protocol.Usage) bool {
	for _, p := range processes {
		if p.Exit == nil && costs[p.PID] == nil {
			return true
		}
	}
	return false
}
