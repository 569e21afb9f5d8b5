// Package replay shows what the daemons recorded: the last quarter of an hour of
// each app, and what happened, also when no daemon runs any more.
package replay

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"passenger/lib/recorder"
	"passenger/lib/statedir"
	"passenger/lib/status/event"
)

// A Replay is what the recordings of a state directory tell of a time.
type Replay struct {
	// From and To bound what is shown. Both are zero if nothing is recorded.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`

	// Step is how long each of Steps is, in seconds.
	Step float64 `json:"step_seconds"`

	Recordings []Recording   `json:"recordings"`
	Steps      []Step        `json:"steps"`
	Events     []event.Event `json:"events"`
}

// A Recording is the file of one daemon, and what it has of the time shown.
type Recording struct {
	Part string `json:"part"`
	File string `json:"file"`

	// Error is why it cannot be read, empty if it could.
	Error           string `json:"error,omitempty"`
	denied, missing bool

	// Samples is how many there are, one a second; From and To are the times of
	// the first and the last.
	Samples int       `json:"samples"`
	From    time.Time `json:"from,omitzero"`
	To      time.Time `json:"to,omitzero"`

	// Lost is how many records the whole file lacks or cannot give back.
	Lost int `json:"lost"`

	// LeftOut is of how many apps a sample had no room for what changed, at most;
	// LeftOutSamples of how many samples that is true. The busiest apps come
	// first.
	LeftOut        int `json:"apps_left_out,omitempty"`
	LeftOutSamples int `json:"samples_with_apps_left_out,omitempty"`

	// EventsFrom is the time of the oldest event, where older ones of the time
	// shown were overwritten.
	EventsFrom time.Time `json:"events_from,omitzero"`

	// Silent is of how many samples the daemon gave no answer to itself.
	Silent int `json:"silent_samples,omitempty"`
}

// A Query says what is to be shown.
type Query struct {
	Since time.Duration // before the last sample
	Step  time.Duration // of one line, a second at least; 0 for about forty lines
	App   string        // only this one, empty for all
}

// parts are the daemons that record, in the order in which they are shown.
var parts = []string{statedir.Spawn, statedir.Pool, statedir.Proxy}

// ErrNothing says that there is no recording.
var ErrNothing = errors.New("nothing is recorded")

// Read reads the recordings of a state directory. A file that is missing or cannot
// be read is no error as long as there is another; if all are missing the error is
// [ErrNothing], and fs.ErrPermission if none may be read.
func Read(dir statedir.Dir, q Query) (Replay, error) {
	r := Replay{Recordings: make([]Recording, len(parts)), Steps: []Step{}, Events: []event.Event{}}
	read := make([]recorder.Recording, len(parts))
	for i, part := range parts {
		path := dir.Recording(part)
		r.Recordings[i] = Recording{Part: part, File: path}
		recording, err := recorder.Read(path)
		if err != nil {
			r.Recordings[i].denied, r.Recordings[i].missing = errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist)
			r.Recordings[i].Error = err.Error()
			continue
		}
		read[i] = recording
	}
	if err := r.reason(); err != nil {
		return r, err
	}
	r.cut(read, q)
	return r, nil
}

// reason is why nothing can be shown, nil if something can.
func (r *Replay) reason() error {
	denied, missing := 0, 0
	for _, x := range r.Recordings {
		denied += flag(x.denied)
		missing += flag(x.missing)
	}
	switch {
	case missing == len(r.Recordings):
		return ErrNothing
	case denied > 0 && denied+missing == len(r.Recordings):
		return fs.ErrPermission
	}
	return nil
}

func flag(on bool) int {
	if on {
		return 1
	}
	return 0
}

// cut takes from the recordings what the query asks for. Time is counted from the
// last sample of all, so that the end of what has died is seen however late.
func (r *Replay) cut(read []recorder.Recording, q Query) {
	for i := range read {
		if n := len(read[i].Samples); n > 0 {
			r.To = later(r.To, read[i].Samples[n-1].At)
		}
	}
	r.From = r.To.Add(-q.Since)
	r.Step = stepOf(q).Seconds()
	lines := timeline{from: r.From, step: stepOf(q), app: q.App, apps: map[string]*track{}, steps: map[int]*Step{}}
	for i := range read {
		r.Recordings[i].describe(read[i], r.From)
		lines.play(parts[i], read[i].Samples)
		r.Events = append(r.Events, chosen(read[i].Events, r.From, q.App)...)
	}
	r.Steps = lines.list()
	slices.SortStableFunc(r.Events, func(a, b event.Event) int { return a.At.Compare(b.At) })
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// shownLines is about how many steps are shown unless the query says otherwise.
const shownLines = 40

// stepOf is a whole number of seconds.
func stepOf(q Query) time.Duration {
	step := cmp.Or(q.Step, q.Since/shownLines)
	return max(time.Second, (step + time.Second - 1).Truncate(time.Second))
}

// describe says what a file has from a time on.
func (x *Recording) describe(read recorder.Recording, from time.Time) {
	x.Lost = read.Lost
	for _, s := range read.Samples {
		if !s.At.After(from) {
			continue
		}
		if x.Samples++; x.Samples == 1 {
			x.From = s.At
		}
		x.To = s.At
		x.Silent += flag(s.Silent != "")
		if s.LeftOut > 0 {
			x.LeftOutSamples++
			x.LeftOut = max(x.LeftOut, s.LeftOut)
		}
	}
	if n := len(read.Events); n > 0 && read.Overwritten && read.Events[0].At.After(from) {
		x.EventsFrom = read.Events[0].At
	}
}

// chosen are the events from a time on, each once: a daemon that was started again
// tells once more what it finds.
func chosen(events []event.Event, from time.Time, app string) []event.Event {
	type key struct {
		event, app, process, file string
		at                        int64
	}
	seen := map[key]bool{}
	var list []event.Event
	for _, e := range events {
		k := key{e.Event, e.App, e.Process, e.File, e.At.UnixNano()}
		if e.At.Before(from) || app != "" && e.App != app || seen[k] {
			continue
		}
		seen[k] = true
		list = append(list, e)
	}
	return list
}

// Unread is an error that names the recordings that are there and cannot be read,
// nil if there are none.
func (r *Replay) Unread() error {
	var unread []string
	for _, x := range r.Recordings {
		if x.Error != "" && !x.missing {
			unread = append(unread, fmt.Sprintf("passenger-%s recorded: %s", x.Part, x.Error))
		}
	}
	if len(unread) == 0 {
		return nil
	}
	return fmt.Errorf("cannot read what %s", strings.Join(unread, "; what "))
}
