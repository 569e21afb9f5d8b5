// Package process knows how one process of an app lives and ends.
//
// Its record in the state directory, its output, its cgroup and its descendants
// are kept here; how it is started is the business of package spawn.
package process

import (
	"context"
	"errors"
	"log/slog"
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

// A Process is one application process, or a preloader. One goroutine, in
// [Process.Wait], sees it end.
type Process struct {
	Dir       statedir.ProcessDir
	preloads  bool // it is a preloader, and serves no requests
	kin       *Kin
	published func() // called when a record that could not be written has been; nil for nothing
	exited    chan struct{}

	// These are set while it starts, by the goroutine that starts it, and then
	// stay.
	handle   *proc.Handle     // nil until there is a process
	Notify   *notify.Socket   // nil if there is none
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
	refusals bool          // it was told that its limit of processes struck
	retrying bool          // the record is to be written again
}

// New is a process that is to be started in its directory. Its start may be tried
// again. published is called when a record that could not be written has been;
// nil for nothing.
func New(dir statedir.ProcessDir, r protocol.Process, kin *Kin, published func()) *Process {
	return &Process{Dir: dir, record: r, kin: kin, published: published, exited: make(chan struct{})}
}

// NewPreloader is a preloader that is to be started.
func NewPreloader(dir statedir.ProcessDir, r protocol.Process, kin *Kin) *Process {
	p := New(dir, r, kin, nil)
	p.preloads, p.phase = true, starting
	return p
}

// Adopt is a process that an earlier spawner started.
func Adopt(dir statedir.ProcessDir, handle *proc.Handle, r protocol.Process, kin *Kin, published func()) *Process {
	p := New(dir, r, kin, published)
	p.handle, p.phase = handle, phaseOf(r.State)
	return p
}

// Begin gives the process its handle, and writes its record for the first time.
// Notify is set before.
func (p *Process) Begin(handle *proc.Handle) {
	p.handle = handle
	p.Change(func(r *protocol.Process) {
		id := handle.Identity()
		r.PID, r.StartTime, r.BootID, r.StartedAt = id.PID, id.StartTime, id.BootID, time.Now()
		r.NotifySocket = p.Notify.Name
	})
}

// Began says whether Begin was called.
func (p *Process) Began() bool { return p.handle != nil }

// PID is the number of a process that has begun.
func (p *Process) PID() int { return p.handle.Identity().PID }

// Signal sends a signal to the process alone.
func (p *Process) Signal(s syscall.Signal) error { return p.handle.Signal(s) }

// Snapshot returns the record as it is now.
func (p *Process) Snapshot() protocol.Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.record
}

// Listed is the record for the list. It shows a process as starting that has
// ended and whose start may be tried again.
func (p *Process) Listed() protocol.Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.record
	if p.phase == lost {
		r.State, r.Exit = protocol.Starting, nil
	}
	return r
}

// Left is how many processes of the group the process left behind at its end.
func (p *Process) Left() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left
}

// LastLines are what the process wrote last. read is false if its output was
// never read.
func (p *Process) LastLines() (lines []output.Line, read bool) {
	if p.out == nil {
		return nil, false
	}
	return p.out.Last(), true
}

// Change has f change the record, and writes it to the state directory. It does
// nothing once the process has ended.
func (p *Process) Change(f func(*protocol.Process)) {
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
func (p *Process) happened(e event) bool {
	next, changed, err := p.phase.after(e)
	if err != nil {
		slog.Error("process in an impossible phase", "app", p.record.App, "pid", p.record.PID, "err", err)
	}
	if changed {
		p.phase, p.record.State = next, next.shown()
	}
	return changed
}

// BecomeReady makes the process ready, and has ready complete its record. It
// returns false if the process was asked to stop, or has ended. secrets are those
// of the process's environment; its last words must not show them.
func (p *Process) BecomeReady(secrets secret.Set, ready func(*protocol.Process)) bool {
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

// Decide says that the attempt to start the process is over: from now on its end
// is one for good. It returns whether it has ended.
func (p *Process) Decide() (over bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.happened(decided)
	return p.phase.over()
}

// see sees the process end, ends what is left of its group, and records the
// exit.
func (p *Process) see() {
	if err := p.handle.Wait(); err != nil {
		slog.Error("process cannot be waited for", "pid", p.handle.Identity().PID, "err", err)
	}
	at := time.Now()
	if p.Notify != nil {
		p.Notify.Finish()
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
	level := slog.LevelInfo
	if exit.OutOfMemory {
		level = slog.LevelWarn
	}
	slog.Log(context.Background(), level, p.noun()+" exited", Attrs(p.record, "state", was, "cause", exit.Cause)...)
	RemoveDirectory(p.Dir)
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

// Wait returns when the process has ended and its exit is in its record. It calls
// told then, and closes [Process.Exited] afterwards. After a bug the process
// counts as gone all the same. It is called once.
func (p *Process) Wait(told func()) {
	defer close(p.exited)
	defer told()
	defer bug.Caught(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if exit := proc.UnknownExit(time.Now()); p.record.Exit == nil {
			p.happened(ended)
			p.record.Exit = &exit
		}
	})
	p.see()
}

// Exited is closed when the process has ended and its list says so.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// exitLines is how many lines the record of an exit has at most, and exitLine
// how many bytes each: it is in every list for a while.
const exitLines, exitLine = 40, 200

// lastWords are the last lines of a process that ended by itself, without its
// secrets. An adopted process has none: its secrets are not known. mu is held.
func (p *Process) lastWords() []string {
	if p.out == nil || p.secrets == nil {
		return nil
	}
	lines := Texts(p.out.Last())
	lines = p.secrets.Lines(lines[max(0, len(lines)-exitLines):])
	for i, line := range lines {
		lines[i] = line[:min(len(line), exitLine)]
	}
	return lines
}

// noun is what the log calls it.
func (p *Process) noun() string {
	if p.preloads {
		return "preloader"
	}
	return "process"
}

// Attrs is what a log says of a process: which it is, and more.
func Attrs(r protocol.Process, more ...any) []any {
	attrs := []any{"app", r.App}
	if r.ProcessType != "" {
		attrs = append(attrs, "process_type", r.ProcessType)
	}
	return append(append(attrs, "pid", r.PID, "generation", r.Generation), more...)
}
