package spawn

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/bug"
	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/visible"
)

// followPause is how often the descendants of processes are looked at.
const followPause = 30 * time.Second

// kinPatience bounds how long a process's end waits for its kin to go.
const kinPatience = time.Second

// A kin is what descends from application processes and has left their process
// groups: what called setsid(2). Where there is no cgroup nothing else tells
// whose they are, once their parents are gone and they have fallen to us.
type kin struct {
	mu sync.Mutex // guards of

	// of names the process that each descends from, by its ID.
	of map[proc.Identity]string
}

// Follow looks at the processes' descendants now and then, until ctx ends, so
// that it is known later whose they were.
func (s *Spawner) Follow(ctx context.Context) {
	tick := time.NewTicker(followPause)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			for _, p := range append(s.running(), s.loaded()...) {
				s.follow(p)
			}
			s.kin.forgetDead()
		case <-ctx.Done():
			return
		}
	}
}

// running are the processes that run.
func (s *Spawner) running() []*process {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*process
	for _, p := range s.processes {
		if r := p.snapshot(); r.PID != 0 && r.State != protocol.Exited {
			list = append(list, p)
		}
	}
	return list
}

// loaded are the preloaders that run.
func (s *Spawner) loaded() []*process {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*process
	for _, l := range s.preloaders {
		if r := l.snapshot(); r.PID != 0 && r.State != protocol.Exited {
			list = append(list, l.process)
		}
	}
	return list
}

// follow notes which processes descend from p and have left its group. One with
// a cgroup needs no such care.
func (s *Spawner) follow(p *process) {
	if p.hasCgroup() {
		return
	}
	r := p.snapshot()
	from := []int{r.PID}
	for _, id := range s.kin.descended(r.ID) {
		from = append(from, id.PID)
	}
	for _, pid := range s.orphans() {
		// What a preloader has left may be a fork that is not ours yet.
		if !p.preloads && p.leftStray(pid) {
			from = append(from, pid)
		}
	}
	for _, root := range from {
		if root != r.PID && s.Ours(root) {
			continue // a fork that is a process of its own by now
		}
		for _, pid := range append(proc.Descendants(root, s.Ours), root) {
			if pid != r.PID && !proc.InGroup(pid, r.PID) {
				s.kin.add(pid, r.ID)
			}
		}
	}
}

// leftStray says whether the stranger still has p's output or notify socket.
func (p *process) leftStray(pid int) bool {
	return proc.HoldsOutput(pid, string(p.dir)) || p.notify != nil && proc.Carries(pid, "NOTIFY_SOCKET="+p.notify.Name)
}

// endKin kills what descends from p outside its group, until nothing more is
// found, and says how many processes that were. The process itself has ended.
func (s *Spawner) endKin(p *process) (killed int) {
	if p.hasCgroup() {
		return 0
	}
	id := p.snapshot().ID
	for began := time.Now(); time.Since(began) < kinPatience; time.Sleep(5 * time.Millisecond) {
		s.follow(p)
		alive := s.kin.descended(id)
		if len(alive) == 0 {
			break
		}
		for _, k := range alive {
			if s.Ours(k.PID) { // a fork that is a process of its own by now
				s.kin.remove(k)
				continue
			}
			if h, err := proc.Open(k); err == nil { // else it is gone
				if h.Signal(unix.SIGKILL) == nil {
					killed++
				}
				h.Close()
			}
			s.kin.remove(k)
		}
	}
	if killed > 0 {
		r := p.snapshot()
		slog.Info("descendants of a process killed with it", "app", r.App, "pid", r.PID, "descendants", killed)
	}
	return killed
}

// Strays are the processes that fell to us and run on, with what is known of
// them.
func (s *Spawner) Strays() []protocol.Stray {
	list := []protocol.Stray{}
	for _, pid := range s.orphans() {
		id, err := proc.IdentityOf(pid)
		if err != nil || !id.Alive() {
			continue
		}
		stray := protocol.Stray{PID: pid, User: proc.UserOf(pid), Command: visible.Line(proc.CommandOf(pid))}
		stray.Process = s.kin.whose(id)
		for _, p := range s.running() {
			r := p.snapshot()
			switch {
			case r.ID == stray.Process, stray.Process == "" && p.leftStray(pid):
				stray.Process, stray.App = r.ID, r.App
			case stray.Process == "" && stray.App == "" && r.User == stray.User:
				stray.App = r.App // or another app of that user
			}
		}
		list = append(list, stray)
	}
	return list
}

func (k *kin) add(pid int, of string) {
	id, err := proc.IdentityOf(pid)
	if err != nil {
		return // it is gone
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.of == nil {
		k.of = map[proc.Identity]string{}
	}
	if k.of[id] == "" {
		k.of[id] = of
	}
}

func (k *kin) remove(id proc.Identity) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.of, id)
}

func (k *kin) whose(id proc.Identity) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.of[id]
}

// descended are those that descend from the process and run.
func (k *kin) descended(process string) []proc.Identity {
	k.mu.Lock()
	defer k.mu.Unlock()
	var list []proc.Identity
	for id, of := range k.of {
		if of == process && id.Alive() {
			list = append(list, id)
		}
	}
	return list
}

func (k *kin) forgetDead() {
	defer bug.Caught(nil)
	k.mu.Lock()
	defer k.mu.Unlock()
	for id := range k.of {
		if !id.Alive() {
			delete(k.of, id)
		}
	}
}
