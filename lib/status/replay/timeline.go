package replay

import (
	"maps"
	"slices"
	"time"

	"passenger/lib/recorder"
)

// A Step is what there was in one stretch of time.
type Step struct {
	At   time.Time `json:"at"` // its beginning
	Apps []App     `json:"apps"`

	// About are the daemons' own numbers, as "proxy.connections": the last of the
	// step.
	About map[string]int64 `json:"about,omitempty"`

	// Seconds is of how many of its seconds there is a sample.
	Seconds int `json:"seconds"`

	// Silent are the daemons that gave no answer to themselves, and why.
	Silent map[string]string `json:"silent,omitempty"`
}

// An App is what there was of an app in a step. Numbers that a daemon did not
// record are missing.
type App struct {
	App string `json:"app"`

	// Values are the last of the step, but for those that rise and fall quickly
	// (in_flight, queued, oldest_wait_milliseconds, memory_bytes), which are the
	// largest, and counters, which are how much they rose in it.
	Values map[string]int64 `json:"values"`
}

// largest are the columns of which a step shows the largest value.
var largest = map[string]bool{"in_flight": true, "queued": true, "oldest_wait_milliseconds": true, "memory_bytes": true}

// A timeline puts the samples of all daemons into steps.
type timeline struct {
	from  time.Time
	step  time.Duration
	app   string // only this one, empty for all
	apps  map[string]*track
	steps map[int]*Step // by how many steps after from
	found map[int]map[string]map[string]int64
}

// A track is what one daemon said of an app last.
type track struct{ values []int64 }

// together is how far two samples of a daemon may lie apart that leave no second out
// between them: they are taken once a second, not at its beginning.
const together = 2500 * time.Millisecond

// play adds the samples of a daemon. Rows before the time that is shown tell how
// the apps were when it began.
func (t *timeline) play(part string, samples []recorder.Sample) {
	columns := recorder.ColumnsOf(part)
	apps := map[string]*track{}
	last := time.Time{}
	inStep := map[int]int{}
	all := roll{missing: 2 * recorder.Stale}
	for _, s := range samples {
		before := !s.At.After(t.from)
		i := t.index(s.At)
		if gap := s.At.Sub(last); !before && last.After(t.from) && gap > 0 && gap < together && !s.Begins {
			for j := t.index(last) + 1; j < i; j++ {
				t.at(j)
				t.addAll(j, columns.Apps, apps, nil)
				inStep[j]++
			}
		}
		last = s.At
		if s.Begins {
			clear(apps)
		}
		grown := map[string][]int64{}
		for _, row := range s.Rows {
			if t.app != "" && row.App != t.app {
				continue
			}
			if row.Values == nil {
				delete(apps, row.App)
				continue
			}
			if apps[row.App] == nil {
				apps[row.App] = &track{}
				if all.there() { // it is new, and its counters began at zero
					apps[row.App].values = make([]int64, len(row.Values))
				}
			}
			grown[row.App] = growth(columns.Apps, apps[row.App].values, row.Values)
			apps[row.App].values = row.Values
		}
		all.called(s)
		if before {
			continue
		}
		step := t.at(i)
		inStep[i]++
		if s.Silent != "" {
			step.silent(part, s.Silent)
			continue
		}
		for j, name := range columns.About {
			if j < len(s.About) {
				step.about(part+"."+name, s.About[j])
			}
		}
		t.addAll(i, columns.Apps, apps, grown)
	}
	for i, n := range inStep {
		t.steps[i].Seconds = max(t.steps[i].Seconds, min(n, int(t.step/time.Second)))
	}
}

// index is the step in which a time after t.from lies.
func (t *timeline) index(at time.Time) int { return int((at.Sub(t.from) - 1) / t.step) }

func (t *timeline) addAll(i int, columns []recorder.Column, apps map[string]*track, grown map[string][]int64) {
	for name, app := range apps {
		t.add(i, name, columns, app.values, grown[name])
	}
}

// A roll knows when each app that there was has been told of once.
type roll struct{ missing int } // for so many samples some may not have been

// called goes on by a sample: from the daemon's beginning on all are told as soon as
// there is room, and in the middle of a ring each is told now and then.
func (r *roll) called(s recorder.Sample) {
	switch {
	case s.Begins && s.LeftOut > 0:
		r.missing = 2 * recorder.Stale
	case s.Begins:
		r.missing = 0
	case s.LeftOut == 0:
		r.missing = max(0, r.missing-1)
	}
}

func (r *roll) there() bool { return r.missing == 0 }

// growth is by how much each counter rose. One that is smaller than before has begun
// anew: what it rose until then is not known.
func growth(columns []recorder.Column, before, now []int64) []int64 {
	rose := make([]int64, len(now))
	for i := range now {
		if i >= len(columns) || !columns[i].Counter || i >= len(before) {
			continue
		}
		rose[i] = max(0, now[i]-before[i])
	}
	return rose
}

func (t *timeline) at(i int) *Step {
	s := t.steps[i]
	if s == nil {
		s = &Step{At: t.from.Add(time.Duration(i) * t.step)}
		t.steps[i] = s
	}
	return s
}

func (s *Step) silent(part, why string) {
	if s.Silent == nil {
		s.Silent = map[string]string{}
	}
	s.Silent[part] = why
}

func (s *Step) about(name string, value int64) {
	if s.About == nil {
		s.About = map[string]int64{}
	}
	s.About[name] = value
}

// add adds a row to a step; grown is nil if no row came, so that counters stand.
func (t *timeline) add(i int, app string, columns []recorder.Column, values, grown []int64) {
	if t.found == nil {
		t.found = map[int]map[string]map[string]int64{}
	}
	if t.found[i] == nil {
		t.found[i] = map[string]map[string]int64{}
	}
	into := t.found[i][app]
	if into == nil {
		into = map[string]int64{}
		t.found[i][app] = into
	}
	for j, c := range columns {
		switch {
		case j >= len(values):
		case c.Counter:
			into[c.Name] += at(grown, j)
		case largest[c.Name]:
			into[c.Name] = max(into[c.Name], values[j])
		default:
			into[c.Name] = values[j]
		}
	}
}

func at(values []int64, i int) int64 {
	if i < len(values) {
		return values[i]
	}
	return 0
}

// list returns the steps in order.
func (t *timeline) list() []Step {
	list := []Step{}
	for _, i := range slices.Sorted(maps.Keys(t.steps)) {
		s := t.steps[i]
		s.Apps = []App{}
		for _, name := range slices.Sorted(maps.Keys(t.found[i])) {
			s.Apps = append(s.Apps, App{name, t.found[i][name]})
		}
		list = append(list, *s)
	}
	return list
}

// sum adds up a column over the apps of a step, and says whether any has it.
func (s Step) sum(column string) (sum int64, known bool) {
	for _, a := range s.Apps {
		if v, ok := a.Values[column]; ok {
			sum, known = sum+v, true
		}
	}
	return sum, known
}

// most is the largest of a column over the apps of a step.
func (s Step) most(column string) (most int64, known bool) {
	for _, a := range s.Apps {
		if v, ok := a.Values[column]; ok {
			most, known = max(most, v), true
		}
	}
	return most, known
}
