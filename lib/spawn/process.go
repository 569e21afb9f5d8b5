package spawn

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/bug"
	"passenger/lib/cgroup"
	"passenger/lib/output"
	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/secret"
	"passenger/lib/spawn/notify"
	"passenger/lib/statedir"
)

// A process is one application process, or a preloader, under this spawner. One
// goroutine, in wait, sees it end; then the record says how, and exited is
// closed.
type process struct {
	dir       statedir.ProcessDir
	preloads  bool // it is a preloader, and serves no requests
	kin       *kin
	published func() // called when the record is written after all; nil for nothing
	exited    chan struct{}

	// These are set while it starts, by the goroutine that starts it, and then
	// stay.
	handle   *proc.Handle     // nil until there is a process
	notify   *notify.Socket   // nil if there is none
	out      *output.Process  // nil until it is read
	leaveLog func()           // gives the app's log file up, nil if it has none
	shown    func(ready bool) // tells the sink that shows its output how its start went, nil if it need not know

	mu       sync.Mutex // guards the fields below
	record   protocol.Process
	phase    phase
	fate     fate
	reason   string        // why we will ask it to go, with ": " after it; empty if the caller gave none
	cgroup   *cgroup.Group // nil if it has none of its own
	left     int           // how many processes of its group outlived it
	secrets  *secret.Set   // of its environment, nil if they are not known
	retrying bool          // the record is to be written again
}

// snapshot returns the record as it is now.
func (p *process) snapshot() protocol.Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.record
}

// listed is the record for the list: of a process whose start may be tried again
// it says that it starts.
func (p *process) listed() protocol.Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.record
	if p.phase == lost {
		r.State, r.Exit = protocol.Starting, nil
	}
	return r
}

// leftBehind is how many processes of the group outlived the process.
func (p *process) leftBehind() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left
}

// lastLines are what the process wrote last.
func (p *process) lastLines() []output.Line {
	if p.out == nil {
		return nil
	}
	return p.out.Last()
}

// change changes the record and writes it to the state directory.
func (p *process) change(f func(*protocol.Process)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.phase.over() {
		return // its directory is gone
	}
	f(&p.record)
	p.save()
}

// happened moves the process to its next phase, and says whether that is
// another one. mu is held.
func (p *process) happened(e event) bool {
	next, changed, err := p.phase.after(e)
	if err != nil {
		slog.Error("process in an impossible phase", "app", p.record.App, "pid", p.record.PID, "err", err)
	}
	if changed {
		p.phase, p.record.State = next, next.shown()
	}
	return changed
}

// becomeReady says whether the process is ready now: it was not stopped before,
// and has not ended. ready completes the record.
func (p *process) becomeReady(secrets secret.Set, ready func(*protocol.Process)) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.secrets = &secrets
	if !p.happened(becameReady) {
		return false
	}
	ready(&p.record)
	p.save()
	return true
}

// decide says that the attempt to start the process is over: an end of it is one
// for good. It returns whether it has ended.
func (p *process) decide() (over bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.happened(decided)
	return p.phase.over()
}

// wait sees the process end, ends what is left of its group, and records the
// exit. Who calls it closes exited when it has returned.
func (p *process) wait() {
	if err := p.handle.Wait(); err != nil {
		slog.Error("process cannot be waited for", "pid", p.handle.Identity().PID, "err", err)
	}
	at := time.Now()
	if p.notify != nil {
		p.notify.Finish()
	}
	left := p.killGroup()
	left += p.kin.end(p)
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
	p.fate.explain(&exit, outOfMemory)
	if !exit.ByUs && exit.Signal != "SIGKILL" { // a process that was killed has not said why
		exit.Output = p.lastWords()
	}
	p.left = left
	was := p.record.State
	p.happened(ended)
	p.record.Exit = &exit
	slog.Info(p.noun()+" exited", "app", p.record.App, "pid", p.record.PID, "state", was, "cause", exit.Cause)
	if err := os.RemoveAll(string(p.dir)); err != nil {
		slog.Error("process directory not removed", "err", err)
	}
}

// explain puts our part in an exit into its record. outOfMemory is the kernel's,
// empty if it had none.
func (f fate) explain(exit *protocol.Exit, outOfMemory string) {
	exit.Orphaned = f.by == orphan
	switch {
	case f.by == kill || f.by == orphan:
		exit.ByUs = true
		exit.Cause = f.why
	case f.by == stop:
		exit.ByUs = true
		exit.Cause = "stopped by us: " + f.why + exit.Cause
	case outOfMemory != "" && (exit.Signal == "SIGKILL" || exit.Unknown):
		exit.OutOfMemory = true
		exit.Cause = outOfMemory
	}
}

// waitOut is wait. After a bug in it the process counts as gone all the same:
// others wait for its end.
func (p *process) waitOut() {
	defer bug.Caught(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if exit := proc.UnknownExit(time.Now()); p.record.Exit == nil {
			p.happened(ended)
			p.record.Exit = &exit
		}
	})
	p.wait()
}

// exitLines is how many lines the record of an exit has at most, and exitLine
// how many bytes each: it is in every list for a while.
const exitLines, exitLine = 40, 200

// lastWords are the last lines of a process that ended by itself, without its
// secrets. An adopted process has none: its secrets are not known. mu is held.
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

// noun is what the log calls it.
func (p *process) noun() string {
	if p.preloads {
		return "preloader"
	}
	return "process"
}

// killGroup ends what the process left behind in its group and in its cgroup,
// and says how many processes that were. The leader has ended. While a leader of
// ours is not reaped, the group's number is its own. That of an adopted one may
// belong to a stranger once the group is empty.
func (p *process) killGroup() (left int) {
	id := p.handle.Identity()
	if now, err := proc.IdentityOf(id.PID); err == nil && now != id {
		return 0
	}
	// What a child of ours leaves behind is below an orphan. To look for the
	// group itself is to look at every process of the machine.
	child := proc.IsChild(id.PID)
	if !child || len(p.kin.children.orphans()) > 0 {
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
	if !p.ask() {
		<-p.exited
		return
	}
	p.kin.follow(p) // a preloader may go as soon as it is told
	told()
	if err := p.handle.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, proc.ErrGone) {
		slog.Error("process not stopped", "pid", p.handle.Identity().PID, "err", err)
	}
	select {
	case <-p.exited:
	case <-time.After(grace):
		p.kill(fmt.Sprintf("killed by us: %sdid not stop within %v", p.stopReason(), grace))
	}
}

// ask notes that the process is asked to go. It returns false if it was before,
// or has ended.
func (p *process) ask() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.happened(asked) {
		return false
	}
	if p.fate.by == itself {
		p.fate = fate{stop, p.reason}
	}
	p.save()
	return true
}

func (p *process) stopReason() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reason
}

// because notes why the process is about to be asked to go.
func (p *process) because(reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if reason != "" && p.phase != stopping {
		p.reason = reason + ": "
	}
}

// kill is end for the reason given.
func (p *process) kill(why string) { p.end(fate{kill, why}) }

// end ends the process and its group at once, and returns when they are gone.
func (p *process) end(f fate) {
	p.mu.Lock()
	p.fate = f
	p.mu.Unlock()
	p.kin.follow(p)
	if err := p.handle.Signal(unix.SIGKILL); err != nil && !errors.Is(err, proc.ErrGone) {
		slog.Error("process not killed", "pid", p.handle.Identity().PID, "err", err)
	}
	<-p.exited // wait kills the rest of the group
}
