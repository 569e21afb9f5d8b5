package side

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	"passenger/lib/pool/pause"
	"passenger/lib/protocol"
)

// A process is one side process, from the decision to start it until it is gone.
type process struct {
	record protocol.Process // as the spawner last told it
	began  time.Time        // when it was noted
	since  time.Time        // when it became ready

	spawning bool           // the answer to its start is to come
	ready    bool           // it was, once
	exit     *protocol.Exit // it ended before the answer, which says why

	listed bool // a list had it

	why       string // it is to go, empty until it is
	stopping  bool   // its stop is under way
	stopAgain time.Time
}

// leave has the process go.
func (p *process) leave(why string) {
	if p.why == "" {
		p.why = why
	}
}

// lostPause is the pause after a start that the spawner lost.
const lostPause = 250 * time.Millisecond

// stopRetry is the pause between two attempts to stop a process.
const stopRetry = time.Second

// listTime is how long a list may take to name a process that was started.
const listTime = 5 * time.Second

// Spawned tells the outcome of a start: a process, an error, or neither if nothing
// came of it. It reports whether it is one of the crew.
func (c *Crew) Spawned(now time.Time, id string, r *protocol.Process, err *protocol.SpawnError) bool {
	k, p := c.find(id)
	if p == nil {
		return false
	}
	p.spawning = false
	switch {
	case r != nil && r.ProcessType != k.name:
		p.record = *r
		p.leave("it is no side process")
		k.failed(now, p, &protocol.SpawnError{
			Category: protocol.CategoryConfig, Summary: "the spawner that runs does not know side processes",
			Advice: "replace it by one of this release", App: c.app, ProcessID: id, Generation: r.Generation, At: now,
			Phases: []protocol.Phase{}, Output: []string{},
		})
	case r != nil && p.exit != nil:
		k.becomeReady(now, p, *r)
		k.remove(p)
		k.mourn(now, p, p.exit)
	case r != nil:
		k.becomeReady(now, p, *r)
	default:
		k.remove(p)
		switch {
		case p.why != "": // it was not wanted any more
		case err != nil:
			k.failed(now, p, err)
		default:
			k.until = later(k.until, now.Add(lostPause))
		}
	}
	return true
}

// Stopped tells the outcome of a stop: gone, or not known. It reports whether it
// was one of the crew.
func (c *Crew) Stopped(now time.Time, id string, gone bool) bool {
	k, p := c.find(id)
	if p == nil {
		return false
	}
	p.stopping = false
	if gone && !p.spawning {
		k.remove(p)
		return true
	}
	p.stopAgain = now.Add(stopRetry) // it may have overtaken the start
	return true
}

// Listed tells what the spawner's list says of a process: one of the crew, or one
// that an earlier pool started.
func (c *Crew) Listed(now time.Time, r protocol.Process) {
	k, p := c.find(r.ID)
	switch {
	case p == nil && r.State == protocol.Exited:
	case p == nil:
		k = c.kind(r.ProcessType)
		p = &process{record: r, began: now, listed: true}
		k.processes = append(k.processes, p)
		if r.State == protocol.Stopping {
			p.leave("stopped")
		}
		if r.State == protocol.Ready {
			p.ready, p.since = true, now
		}
		slog.Debug("side process adopted", "app", c.app, "process_type", k.name, "pid", r.PID, "generation", r.Generation)
	case r.State == protocol.Exited && p.spawning:
		p.exit = r.Exit
	case r.State == protocol.Exited:
		k.remove(p)
		k.mourn(now, p, r.Exit)
	default:
		p.listed = true
		if r.State == protocol.Stopping {
			p.leave("stopped by another")
		}
		if r.State == protocol.Ready && !p.ready && r.ProcessType == k.name {
			k.becomeReady(now, p, r)
		}
		p.record = r
	}
}

// Has says that the process is one of the crew.
func (c *Crew) Has(id string) bool {
	_, p := c.find(id)
	return p != nil
}

// Missing takes the processes off the books that the spawner does not have: has
// are the IDs in its list. It returns when to look again, the zero time for when
// the next list comes.
func (c *Crew) Missing(now time.Time, has map[string]bool) (again time.Time) {
	for _, k := range c.kinds {
		for _, p := range slices.Clone(k.processes) {
			due := p.began.Add(listTime)
			switch {
			case p.spawning || has[p.record.ID]:
			case !p.listed && now.Before(due):
				if again.IsZero() || due.Before(again) {
					again = due
				}
			default:
				k.remove(p)
				k.mourn(now, p, nil)
			}
		}
	}
	return again
}

func (k *kind) becomeReady(now time.Time, p *process, r protocol.Process) {
	p.record = r
	if p.ready {
		return
	}
	p.ready, p.since = true, now
	slog.Debug("side process ready", "app", k.crew.app, "process_type", k.name, "pid", r.PID, "generation", r.Generation)
	if r.Generation == k.crew.settled && k.strikes <= pause.FreeDeaths {
		k.failures, k.err, k.until = 0, nil, time.Time{}
	}
}

func (k *kind) remove(p *process) {
	k.processes = slices.DeleteFunc(k.processes, func(q *process) bool { return q == p })
}

// mourn does what follows from the end of a process; exit is nil if it is not
// known how it ended.
func (k *kind) mourn(now time.Time, p *process, exit *protocol.Exit) {
	cause := "unknown"
	if exit != nil {
		cause = exit.Cause
	}
	if p.why != "" || exit != nil && exit.ByUs && p.ready {
		slog.Debug("side process stopped", "app", k.crew.app, "process_type", k.name, "pid", p.record.PID, "cause", cause)
		return
	}
	if exit != nil && exit.Orphaned {
		k.until = later(k.until, now.Add(lostPause))
		return
	}
	e := &protocol.SpawnError{
		Category: protocol.CategoryExit, Summary: "ended before it was ready: " + cause,
		Advice: "Its output, in the log of passenger-spawn, may say why.",
		App:    k.crew.app, ProcessID: p.record.ID, Generation: p.record.Generation, At: now, Exit: exit,
		Phases: []protocol.Phase{}, Output: []string{},
		Command: p.record.Command, AppRoot: p.record.AppRoot, User: p.record.User,
	}
	if exit != nil && len(exit.Output) > 0 {
		e.Output, e.Advice = exit.Output, "What it wrote last is below."
	}
	if !p.ready {
		k.failed(now, p, e)
		return
	}
	e.Summary = fmt.Sprintf("%s %.1fs after it was ready", cause, now.Sub(p.since).Seconds())
	k.died(now, p, e)
}

// failed counts a start that failed.
func (k *kind) failed(now time.Time, p *process, err *protocol.SpawnError) {
	named := *err
	named.Summary = fmt.Sprintf("side process %q: %s", k.name, err.Summary)
	if k.condemn(p, &named) {
		return
	}
	k.crew.events = append(k.crew.events, protocol.Event{Event: protocol.EventSpawnFailed, Error: &named})
	k.err = &named
	if k.failures == 0 || !p.began.Before(k.failedAt) { // those that ran beside one another fail together
		k.failures++
		k.failedAt, k.until = now, now.Add(pause.After(k.failures, k.crew.chance.Jitter()))
	}
	slog.Error("side process did not become ready", "app", k.crew.app, "process_type", k.name, "generation", p.record.Generation,
		"failures", k.failures, "err", err.Summary)
}

// died counts a process that ended by itself after it was ready.
func (k *kind) died(now time.Time, p *process, err *protocol.SpawnError) {
	slog.Warn("side process exited", "app", k.crew.app, "process_type", k.name, "pid", p.record.PID, "cause", err.Summary)
	named := *err
	named.Summary = fmt.Sprintf("side process %q: %s", k.name, err.Summary)
	if k.condemn(p, &named) || now.Sub(p.since) > pause.Early || k.strikes > 0 && p.began.Before(k.struckAt) {
		return
	}
	k.strikes++
	k.struckAt = now
	if k.strikes > pause.FreeDeaths {
		k.failures = k.strikes - pause.FreeDeaths
		k.failedAt, k.until = now, now.Add(pause.After(k.failures, k.crew.chance.Jitter()))
		named.Summary += fmt.Sprintf(", %d times in a row", k.strikes)
		k.err = &named
	}
}

// condemn notes that the generation on trial is no good, if the process is of it.
func (k *kind) condemn(p *process, err *protocol.SpawnError) bool {
	if g := p.record.Generation; g != k.tried || g == k.crew.settled {
		return false
	}
	k.trialErr = err
	return true
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
