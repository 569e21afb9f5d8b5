package process

import (
	"errors"
	"fmt"
	"log/slog"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/proc"
)

// killGroup ends what the process left behind in its group and in its cgroup,
// and says how many processes that were. The leader has ended. While a leader of
// ours is not reaped, the group's number is its own. That of an adopted one may
// belong to a stranger once the group is empty.
func (p *Process) killGroup() (left int) {
	id := p.handle.Identity()
	if now, err := proc.IdentityOf(id.PID); err == nil && now != id {
		return 0
	}
	// What a child of ours leaves behind is below an orphan. To look for the
	// group itself is to look at every process of the machine.
	child := proc.IsChild(id.PID)
	if !child || len(p.kin.Children.Orphans()) > 0 {
		left = len(proc.Group(id.PID))
	}
	if left > 0 || child {
		if err := p.handle.SignalGroup(syscall.SIGKILL); err != nil && !errors.Is(err, proc.ErrGone) {
			slog.Error("process group not killed", "pid", id.PID, "err", err)
		}
	}
	return max(left, p.killCgroup())
}

// Stop asks the process to go and kills its group if it has not within the
// grace. It calls told once the process's state says so, and returns when the
// process is gone. A second stop waits with the first.
func (p *Process) Stop(grace time.Duration, told func()) {
	if !p.ask() {
		<-p.exited
		return
	}
	p.kin.Follow(p) // a preloader may go as soon as it is told
	told()
	p.quiet()
	if err := p.handle.Signal(p.StopSignal()); err != nil && !errors.Is(err, proc.ErrGone) {
		slog.Error("process not stopped", "pid", p.handle.Identity().PID, "err", err)
	}
	select {
	case <-p.exited:
	case <-time.After(grace):
		p.Kill(fmt.Sprintf("killed by us: %sdid not stop within %v", p.stopReason(), grace))
	}
}

// StopSignal is what has the process end.
func (p *Process) StopSignal() syscall.Signal {
	if s := unix.SignalNum("SIG" + p.Snapshot().StopSignal); s != 0 {
		return s
	}
	return syscall.SIGTERM
}

// quiet has a side process take no new work, where it can be told so, and returns
// when it has had its time for what it does.
func (p *Process) quiet() {
	r := p.Snapshot()
	s := unix.SignalNum("SIG" + r.QuietSignal)
	if s == 0 || r.ReadyAt.IsZero() {
		return
	}
	if err := p.handle.Signal(s); err != nil && !errors.Is(err, proc.ErrGone) {
		slog.Error("process not told to take no new work", "pid", p.handle.Identity().PID, "err", err)
	}
	select {
	case <-p.exited:
	case <-time.After(time.Duration(r.QuietTime * float64(time.Second))):
	}
}

// ask notes that the process is asked to go. It returns false if it was before,
// or has ended.
func (p *Process) ask() bool {
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

func (p *Process) stopReason() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reason
}

// Because notes why Stop is about to be called; empty for no reason.
func (p *Process) Because(reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if reason != "" && p.phase != stopping {
		p.reason = reason + ": "
	}
}

// KillOrphan kills a process that its spawner left while it started.
func (p *Process) KillOrphan() {
	p.end(fate{orphan, "killed by us: its spawner died while it started"})
}

// Kill ends the process and its group at once, for the reason given, and returns
// when they are gone.
func (p *Process) Kill(why string) { p.end(fate{kill, why}) }

// end ends the process and its group at once, and returns when they are gone.
func (p *Process) end(f fate) {
	p.mu.Lock()
	p.fate = f
	p.mu.Unlock()
	p.kin.Follow(p)
	if err := p.handle.Signal(unix.SIGKILL); err != nil && !errors.Is(err, proc.ErrGone) {
		slog.Error("process not killed", "pid", p.handle.Identity().PID, "err", err)
	}
	<-p.exited // wait kills the rest of the group
}
