package event

import (
	"maps"
	"time"

	"passenger/lib/status"
)

// remembered is for how long an event is known that the daemons tell no more.
// One that was silent for a moment tells it again.
const remembered = 10 * time.Minute

// A Follower finds in one snapshot after another what is new. The zero Follower
// has seen none.
type Follower struct {
	seen     map[key]time.Time // when it was told last
	rejected map[string]uint64 // requests sent away, by app
	parts    map[string]status.PartState
}

// Next returns what the snapshot tells that those before did not, in order of
// time. Of the first snapshot that is all that it tells of the past.
func (f *Follower) Next(s status.Snapshot) []Event {
	first := f.seen == nil
	if first {
		f.seen, f.rejected, f.parts = map[key]time.Time{}, map[string]uint64{}, map[string]status.PartState{}
	}
	var news []Event
	for _, e := range Of(s) {
		if _, known := f.seen[e.key()]; !known {
			news = append(news, e)
		}
		f.seen[e.key()] = s.At
	}
	maps.DeleteFunc(f.seen, func(_ key, told time.Time) bool { return s.At.Sub(told) > remembered })
	news = append(news, f.sentAway(s)...)
	news = append(news, f.changed(s, first)...)
	sortByTime(news)
	return news
}

// sentAway compares the proxy's counters. One that is smaller than before is
// that of a new proxy.
func (f *Follower) sentAway(s status.Snapshot) []Event {
	if s.Proxy == nil {
		return nil
	}
	var news []Event
	for app, r := range s.Proxy.Report.Apps {
		before, known := f.rejected[app]
		f.rejected[app] = r.Rejected
		if r.Rejected < before {
			before = 0
		}
		if known && r.Rejected > before {
			news = append(news, Event{At: s.At, Event: QueueFull, App: app, Count: r.Rejected - before})
		}
	}
	maps.DeleteFunc(f.rejected, func(app string, _ uint64) bool { _, there := s.Proxy.Report.Apps[app]; return !there })
	return news
}

// changed tells which parts stopped or began to answer. At first only those that
// do not answer are news.
func (f *Follower) changed(s status.Snapshot, first bool) []Event {
	var news []Event
	for _, p := range s.Parts {
		was := f.parts[p.Name]
		f.parts[p.Name] = p.State
		switch {
		case p.State != status.Up && (first || was == status.Up):
			news = append(news, Event{At: s.At, Event: PartDown, Part: p.Name, PID: p.PID, Cause: p.Error})
		case p.State == status.Up && !first && was != status.Up:
			news = append(news, Event{At: s.At, Event: PartUp, Part: p.Name, PID: p.PID})
		}
	}
	return news
}
