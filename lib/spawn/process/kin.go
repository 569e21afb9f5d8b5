package process

import (
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/bug"
	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/spawn/children"
	"passenger/lib/visible"
)

// kinPause is how often a process's end looks whether its kin are gone, and
// kinLooks how often at most: for a second, or longer where it has to wait for a
// processor, as they have.
const kinPause, kinLooks = 5 * time.Millisecond, 200

// A Kin knows what descends from application processes and has left their process
// groups: what called setsid(2). Where there is no cgroup nothing else tells
// whose these are, once their parents are gone and they have fallen to us.
type Kin struct {
	Children *children.Table // of this program

	mu sync.Mutex // guards of

	// of names the process that each descends from, by its ID.
	of map[proc.Identity]string
}

// Follow notes which processes descend from p and have left its group. One with
// a cgroup needs no such care.
func (k *Kin) Follow(p *Process) {
	if p.HasCgroup() {
		return
	}
	r := p.Snapshot()
	from := []int{r.PID}
	for _, id := range k.descended(r.ID) {
		from = append(from, id.PID)
	}
	for _, pid := range k.Children.Orphans() {
		// What a preloader has left may be a fork that is not ours yet.
		if !p.preloads && p.leftStray(pid) {
			from = append(from, pid)
		}
	}
	for _, root := range from {
		if root != r.PID && k.Children.Ours(root) {
			continue // a fork that is a process of its own by now
		}
		for _, pid := range append(proc.Descendants(root, k.Children.Ours), root) {
			if pid != r.PID && !proc.InGroup(pid, r.PID) {
				k.add(pid, r.ID)
			}
		}
	}
}

// leftStray says whether the stranger still has p's output or notify socket.
func (p *Process) leftStray(pid int) bool {
	return proc.HoldsOutput(pid, string(p.Dir)) || p.Notify != nil && proc.Carries(pid, "NOTIFY_SOCKET="+p.Notify.Name)
}

// end kills what descends from p outside its group, until nothing more is
// found, and says how many processes that were. The process itself has ended.
func (k *Kin) end(p *Process) (killed int) {
	if p.HasCgroup() {
		return 0
	}
	r := p.Snapshot()
	process := r.ID
	if r.Adopted && !p.preloads && r.NotifySocket != "" {
		// What it left behind while another program was its parent never fell to us.
		// A preloader's forks, which are processes of their own, have its environment.
		killed = k.Children.KillStrays(r.NotifySocket)
	}
	for range kinLooks {
		k.Follow(p)
		alive := k.descended(process)
		if len(alive) == 0 {
			break
		}
		for _, id := range alive {
			if k.Children.Ours(id.PID) { // a fork that is a process of its own by now
				k.remove(id)
				continue
			}
			if h, err := proc.Open(id); err == nil { // else it is gone
				if h.Signal(unix.SIGKILL) == nil {
					killed++
				}
				h.Close()
			}
			k.remove(id)
		}
		time.Sleep(kinPause)
	}
	if killed > 0 {
		slog.Info("descendants of a process killed with it", "app", r.App, "pid", r.PID, "descendants", killed)
	}
	return killed
}

// Strays are the processes that fell to us and run on, with what is known of
// them. running are the processes that run.
func (k *Kin) Strays(running []*Process) []protocol.Stray {
	list := []protocol.Stray{}
	for _, pid := range k.Children.Orphans() {
		id, err := proc.IdentityOf(pid)
		if err != nil || !id.Alive() {
			continue
		}
		stray := protocol.Stray{PID: pid, User: proc.UserOf(pid), Command: visible.Line(proc.CommandOf(pid))}
		stray.Process = k.whose(id)
		for _, p := range running {
			r := p.Snapshot()
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

func (k *Kin) add(pid int, of string) {
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

func (k *Kin) remove(id proc.Identity) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.of, id)
}

func (k *Kin) whose(id proc.Identity) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.of[id]
}

// descended are those that descend from the process and run.
func (k *Kin) descended(process string) []proc.Identity {
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

// ForgetDead forgets those that have ended.
func (k *Kin) ForgetDead() {
	defer bug.Caught(nil)
	k.mu.Lock()
	defer k.mu.Unlock()
	for id := range k.of {
		if !id.Alive() {
			delete(k.of, id)
		}
	}
}
