package spawn

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	"passenger/lib/bug"
	"passenger/lib/cgroup"
	"passenger/lib/output"
	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/secret"
	"passenger/lib/spawn/notify"
	"passenger/lib/statedir"
)

// A process is one application process under this spawner. One goroutine, in
// wait, sees it end; what it says is in record then and exited is closed.
type process struct {
	dir    statedir.ProcessDir
	handle *proc.Handle    // nil until there is a process
	out    *output.Process // nil until it is read
	notify *notify.Socket
	exited chan struct{}

	leaveLog func()           // gives the app's log file up, nil if it has none
	start    func(ready bool) // tells who shows its output how its start went, nil if nobody asks

	preloads bool // it is a preloader, and serves nobody
	orphaned bool // its spawner died while it started

	family   family
	recorded func() // called when a record is written after all; nil for nothing

	mu        sync.Mutex // guards the fields below
	record    protocol.Process
	cgroup    *cgroup.Group // nil if it has none of its own
	stopped   bool          // we asked it to go
	undecided bool          // its start is under way, and may be tried once more when it has ended
	killed    string        // why we killed it, empty if we did not
	reason    string        // why it was asked to go, with ": " after it; empty if nobody said
	left      int           // how many processes of its group outlived it
	origin    *origin       // by what it can be made a preloader, nil if it cannot
	secrets   *secret.Set   // of its environment, nil if nobody knows them
	saving    bool          // the record is to be written again
}

// A family knows what descends from a process and has left its group. It is the
// spawner.
type family interface {
	// follow notes it, while the process runs.
	follow(*process)

	// endKin ends it, once the process has ended, and says how many that were.
	endKin(*process) int
}

// snapshot returns the record as it is now.
func (p *process) snapshot() protocol.Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.record
}

// isUndecided says that the process has ended, and that its start may be tried
// once more.
func (p *process) isUndecided() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.undecided && p.record.State == protocol.Exited
}

// leftBehind is how many processes of the group outlived the process.
func (p *process) leftBehind() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left
}

// change changes the record and writes it to the state directory.
func (p *process) change(f func(*protocol.Process)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.record.State == protocol.Exited {
		return // its directory is gone
	}
	f(&p.record)
	p.save()
}

// wait sees the process end, ends what is left of its group, and records the
// exit. Who calls it closes exited when it has returned. orphans are those that
// fell to this program.
func (p *process) wait(orphans func() []int) {
	if err := p.handle.Wait(); err != nil {
		slog.Error("process cannot be waited for", "pid", p.handle.Identity().PID, "err", err)
	}
	at := time.Now()
	if p.notify != nil {
		p.notify.Finish()
	}
	left := p.killGroup(orphans)
	left += p.family.endKin(p)
	exit := proc.UnknownExit(at)
	if status, err := p.handle.Reap(); err == nil {
		exit = proc.ExitOf(status, at)
	} else if !errors.Is(err, syscall.ECHILD) {
		slog.Error("process not reaped", "err", err)
	}
	p.handle.Close()
	outOfMemory := p.leaveCgroup()
	p.finishOutput()
	p.mu.Lock()
	defer p.mu.Unlock()
	exit.Orphaned = p.orphaned
	switch {
	case p.killed != "":
		exit.ByUs = true
		exit.Cause = p.killed
	case p.stopped:
		exit.ByUs = true
		exit.Cause = "stopped by us: " + p.reason + exit.Cause
	case outOfMemory != "" && (exit.Signal == "SIGKILL" || exit.Unknown):
		exit.OutOfMemory = true
		exit.Cause = outOfMemory
	}
	if !exit.ByUs && exit.Signal != "SIGKILL" { // that one says nothing of why
		exit.Output = p.lastWords()
	}
	p.left = left
	if p.origin != nil {
		p.origin.control.Close()
	}
	was := p.record.State
	p.record.State, p.record.Exit = protocol.Exited, &exit
	slog.Info(p.noun()+" exited", "app", p.record.App, "pid", p.record.PID, "state", was, "cause", exit.Cause)
	if err := os.RemoveAll(string(p.dir)); err != nil {
		slog.Error("process directory not removed", "err", err)
	}
}

// waitOut is wait, and after a bug in it the process counts as gone all the
// same: others wait for its end.
func (p *process) waitOut(orphans func() []int) {
	defer bug.Caught(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if exit := proc.UnknownExit(time.Now()); p.record.Exit == nil {
			p.record.State, p.record.Exit = protocol.Exited, &exit
		}
	})
	p.wait(orphans)
}

// lastWords is what goes into the record of an exit of the process's own
// making. What may have secrets in it that nobody knows, that of a process
// which was adopted, does not. mu is held.
func (p *process) lastWords() []string {
	if p.out == nil || p.secrets == nil {
		return nil
	}
	lines := texts(p.out.Last())
	lines = p.secrets.Lines(lines[max(0, len(lines)-exitLines):])
	for i, line := range lines {
		lines[i] = line[:min(len(line), exitLine)]
	}
	return lines
}

// exitLines is how many lines the record of an exit has at most, and exitLine
// how many bytes each: it is in every list for a while.
const exitLines, exitLine = 40, 200

// noun is what the log calls it.
func (p *process) noun() string {
	if p.preloads {
		return "preloader"
	}
	return "process"
}

// killGroup ends what the process left behind in its group and in its cgroup,
// and says how many processes that were. The leader has ended. While a leader of ours is not
// reaped, the group's number is its own. That of an adopted one may belong to
// a stranger once the group is empty.
func (p *process) killGroup(orphans func() []int) (left int) {
	id := p.handle.Identity()
	if now, err := proc.IdentityOf(id.PID); err == nil && now != id {
		return 0
	}
	// What a child of ours leaves behind is below an orphan. To look for the
	// group itself is to look at every process of the machine.
	child := proc.IsChild(id.PID)
	if !child || len(orphans()) > 0 {
		left = len(proc.Group(id.PID))
	}
	if left > 0 || child {
		if err := p.handle.SignalGroup(syscall.SIGKILL); err != nil && !errors.Is(err, proc.ErrGone) {
			slog.Error("process group not killed", "pid", id.PID, "err", err)
		}
	}
	return max(left, p.killCgroup())
}

// stop asks the process to go and kills its group if it has not within the
// grace. It calls told once the process's state says so, and returns when the
// process is gone. A second stop waits with the first.
func (p *process) stop(grace time.Duration, told func()) {
	asked := false
	p.change(func(r *protocol.Process) {
		if !p.stopped {
			asked, p.stopped = true, true
			r.State = protocol.Stopping
		}
	})
	if !asked {
		<-p.exited
		return
	}
	p.family.follow(p) // a preloader may go as soon as it is told
	told()
	if err := p.handle.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, proc.ErrGone) {
		slog.Error("process not stopped", "pid", p.handle.Identity().PID, "err", err)
	}
	select {
	case <-p.exited:
	case <-time.After(grace):
		p.mu.Lock()
		reason := p.reason
		p.mu.Unlock()
		p.kill(fmt.Sprintf("killed by us: %sdid not stop within %v", reason, grace))
	}
}

// because notes why the process is asked to go.
func (p *process) because(reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if reason != "" && !p.stopped {
		p.reason = reason + ": "
	}
}

// kill ends the process and its group at once, for the reason given, and
// returns when they are gone.
func (p *process) kill(why string) {
	p.mu.Lock()
	p.killed = why
	p.mu.Unlock()
	p.family.follow(p)
	if err := p.handle.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, proc.ErrGone) {
		slog.Error("process not killed", "pid", p.handle.Identity().PID, "err", err)
	}
	<-p.exited // wait kills the rest of the group
}
