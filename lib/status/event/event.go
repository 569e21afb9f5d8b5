// Package event tells what happened: processes that started and exited,
// deploys, settings that were refused, requests that were sent away. It reads
// it from the snapshots of package status, so the daemons keep no list for it.
package event

import (
	"cmp"
	"slices"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/status"
)

// Kinds of events. The list is closed and append-only.
const (
	Started      = "started"       // a process became ready
	Exited       = "exited"        // a process is gone
	StartFailed  = "start_failed"  // a process did not become ready
	Deployed     = "deployed"      // a new generation serves, and the old one is gone
	DeployFailed = "deploy_failed" // a restart failed or was taken back
	Refused      = "refused"       // settings in a file are not in use
	QueueFull    = "queue_full"    // the proxy sent requests away: its queue was full, or they waited too long
	PartDown     = "part_down"     // a daemon does not answer
	PartUp       = "part_up"       // it answers again
)

// An Event is one line of "passenger-status events". What does not apply to its
// kind is left out.
type Event struct {
	At    time.Time `json:"at"`
	Event string    `json:"event"`
	App   string    `json:"app,omitempty"`

	// Process, PID and Generation are those of a process; Generation also that
	// of a deploy.
	Process    string `json:"process_id,omitempty"`
	PID        int    `json:"pid,omitempty"`
	Generation int    `json:"generation,omitempty"`

	// Took is how long a start or a deploy took, or how long a process that
	// exited had run, in seconds.
	Took float64 `json:"took_seconds,omitempty"`

	// Cause is one sentence that says why.
	Cause string `json:"cause,omitempty"`

	// Advice is what to do about it.
	Advice string `json:"advice,omitempty"`

	// ByUs says that a process exited because we asked it to.
	ByUs bool `json:"by_us,omitempty"`

	// Output are the last lines that a process wrote, of one that ended by
	// itself or did not become ready.
	Output []string `json:"output,omitempty"`

	// AppRoot is the app's directory, File the one whose settings were refused.
	AppRoot string `json:"app_root,omitempty"`
	File    string `json:"file,omitempty"`

	// Count is how many requests were sent away since the event before.
	Count uint64 `json:"count,omitempty"`

	// Part is the daemon: spawn, pool or proxy.
	Part string `json:"part,omitempty"`
}

// Bad says that something went wrong.
func (e Event) Bad() bool {
	switch e.Event {
	case Exited:
		return !e.ByUs
	case Started, Deployed, PartUp:
		return false
	}
	return true
}

// key tells an event from others of the same look.
type key struct {
	event, app, id string
	at             int64
}

func (e Event) key() key {
	return key{e.Event, e.App, cmp.Or(e.Process, e.File), e.At.UnixNano()}
}

// Of returns what a snapshot tells of the past, in order of time: the spawner
// keeps exits for a minute at least, and the pool the last error, the last
// restart and all refusals.
func Of(s status.Snapshot) []Event {
	events := []Event{}
	processes := s.Records
	if s.Processes != nil {
		processes = s.Processes.Processes
	}
	for i := range processes {
		events = append(events, ofProcess(&processes[i])...)
	}
	if s.Apps != nil {
		for i := range s.Apps.Apps {
			events = append(events, ofApp(&s.Apps.Apps[i])...)
		}
		for _, r := range s.Apps.Refused {
			events = append(events, Event{At: r.At, Event: Refused, App: r.App, File: r.File, Cause: r.Message, Advice: r.Hint})
		}
	}
	sortByTime(events)
	return events
}

func sortByTime(events []Event) {
	slices.SortStableFunc(events, func(a, b Event) int { return a.At.Compare(b.At) })
}

func ofProcess(p *protocol.Process) []Event {
	var events []Event
	e := Event{App: p.App, Process: p.ID, PID: p.PID, Generation: p.Generation}
	if !p.ReadyAt.IsZero() {
		started := e
		started.At, started.Event, started.Took = p.ReadyAt, Started, p.SpawnTook
		events = append(events, started)
	}
	if x := p.Exit; x != nil {
		e.At, e.Event, e.Cause, e.ByUs, e.Output, e.AppRoot = x.At, Exited, x.Cause, x.ByUs, x.Output, p.AppRoot
		e.Took = max(0, x.At.Sub(p.StartedAt).Seconds())
		events = append(events, e)
	}
	return events
}

func ofApp(a *protocol.App) []Event {
	var events []Event
	if e := a.LastError; e != nil {
		events = append(events, failure(a, e, StartFailed))
	}
	r := a.Restart
	if r == nil {
		return events
	}
	e := Event{At: r.EndedAt, Event: Deployed, App: a.Name, Generation: r.Generation, Took: max(0, r.EndedAt.Sub(r.BeganAt).Seconds())}
	switch r.State {
	case protocol.RestartDone:
		events = append(events, e)
	case protocol.RestartFailed, protocol.RestartRolledBack:
		if r.Error != nil {
			f := failure(a, r.Error, DeployFailed)
			e.Cause, e.Advice, e.Output, e.AppRoot = f.Cause, f.Advice, f.Output, f.AppRoot
		}
		e.Event = DeployFailed
		events = append(events, e)
	}
	return events
}

func failure(a *protocol.App, e *protocol.SpawnError, event string) Event {
	return Event{
		At: e.At, Event: event, App: a.Name, Process: e.ProcessID, Generation: e.Generation,
		Cause: e.Summary, Advice: e.Advice, Output: e.Output, AppRoot: e.AppRoot,
	}
}
