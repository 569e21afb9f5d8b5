package spawn

import (
	"errors"
	"slices"
	"time"

	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/spawn/process"
)

// exitShown is how long the list shows a process that is gone.
const exitShown = 2 * time.Minute

// mostExited is how many of those the list shows of one app: the newest, of which
// only the last one started says what it wrote. So an app that dies again and
// again does not make the list long for all others.
const mostExited = 50

// Processes is the list of processes, to be watched.
func (s *Spawner) Processes() *control.Feed[protocol.ProcessList] { return &s.feed }

// publish sets the list to what there is now.
func (s *Spawner) publish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	list := protocol.ProcessList{Version: s.version, Processes: make([]protocol.Process, 0, len(s.processes))}
	exited := map[string]int{} // by app
	kept := make([]*process.Process, 0, len(s.processes))
	for _, p := range slices.Backward(s.processes) {
		r := p.Listed()
		if r.Exit != nil {
			n := exited[r.App]
			exited[r.App]++
			if time.Since(r.Exit.At) >= exitShown || n >= mostExited {
				continue
			}
			if n > 0 && len(r.Exit.Output) > 0 {
				exit := *r.Exit
				exit.Output, r.Exit = nil, &exit
			}
		}
		kept = append(kept, p)
		if r.PID != 0 {
			list.Processes = append(list.Processes, r)
		}
	}
	slices.Reverse(kept)
	slices.Reverse(list.Processes)
	s.processes = kept
	s.feed.Set(list)
}

func (s *Spawner) find(id string) *process.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.processes {
		if p.Snapshot().ID == id {
			return p
		}
	}
	return nil
}

// forget takes a process out of the list that never ran the app, and removes its
// directory.
func (s *Spawner) forget(p *process.Process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.processes = slices.DeleteFunc(s.processes, func(q *process.Process) bool { return q == p })
	process.RemoveDirectory(p.Dir)
}

// running are the processes that run.
func (s *Spawner) running() []*process.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*process.Process
	for _, p := range s.processes {
		if r := p.Snapshot(); r.PID != 0 && r.State != protocol.Exited {
			list = append(list, p)
		}
	}
	return list
}

// loaded are the preloaders that run.
func (s *Spawner) loaded() []*process.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*process.Process
	for _, l := range s.preloaders {
		if r := l.Snapshot(); r.PID != 0 && r.State != protocol.Exited {
			list = append(list, l.Process)
		}
	}
	return list
}

// ErrUnknown says that there is no process of that ID.
var ErrUnknown = errors.New("no such process")
