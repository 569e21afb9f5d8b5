package protocol

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// Since is what a reader that has the whole list before lacks of l: a list with
// a Base.
func (l ProcessList) Since(before any) any {
	old := before.(ProcessList)
	if old.Version == 0 {
		return l
	}
	changes := ProcessList{Version: l.Version, Base: old.Version, Processes: []Process{}}
	// Both begin with the same processes, nearly always.
	same := 0
	for same < min(len(l.Processes), len(old.Processes)) && l.Processes[same].ID == old.Processes[same].ID {
		if p := &l.Processes[same]; !p.same(&old.Processes[same]) {
			changes.Processes = append(changes.Processes, *p)
		}
		same++
	}
	had := make(map[string]*Process, len(old.Processes)-same)
	for i := same; i < len(old.Processes); i++ {
		had[old.Processes[i].ID] = &old.Processes[i]
	}
	for i := same; i < len(l.Processes); i++ {
		p := &l.Processes[i]
		if q := had[p.ID]; q == nil || !p.same(q) {
			changes.Processes = append(changes.Processes, *p)
		}
		delete(had, p.ID)
	}
	for i := same; i < len(old.Processes); i++ {
		if id := old.Processes[i].ID; had[id] != nil {
			changes.Gone = append(changes.Gone, id)
		}
	}
	return changes
}

// same says that nothing differs. reflect.DeepEqual of the whole takes forty
// times as long, and a list has many that are the same.
func (p *Process) same(q *Process) bool {
	return p.ID == q.ID && p.State == q.State && p.PID == q.PID && p.StartTime == q.StartTime && p.BootID == q.BootID &&
		p.Version == q.Version && p.Slot == q.Slot && p.App == q.App && p.Generation == q.Generation && p.Type == q.Type &&
		p.Address == q.Address && p.DataProtocol == q.DataProtocol && p.SessionForm == q.SessionForm && p.Concurrency == q.Concurrency &&
		p.AppRoot == q.AppRoot && p.Root.same(&q.Root) && p.Environment == q.Environment && p.LogFile == q.LogFile &&
		slices.Equal(p.Command, q.Command) && p.User == q.User && samePointed(p.GID, q.GID) &&
		p.ProcessType == q.ProcessType && p.QuietSignal == q.QuietSignal && p.QuietTime == q.QuietTime && p.StopSignal == q.StopSignal &&
		p.Preloader == q.Preloader && p.NotifySocket == q.NotifySocket && p.StopGrace == q.StopGrace &&
		p.StartedAt.Equal(q.StartedAt) && p.ReadyAt.Equal(q.ReadyAt) && p.SpawnTook == q.SpawnTook &&
		p.Adopted == q.Adopted && p.Unrecorded == q.Unrecorded && slices.Equal(p.ReleaseChanged, q.ReleaseChanged) &&
		(p.Exit == q.Exit || reflect.DeepEqual(p.Exit, q.Exit)) && samePointed(p.Usage, q.Usage)
}

func (r *Root) same(s *Root) bool {
	return r.Device == s.Device && r.Inode == s.Inode && samePointed(r.Owner, s.Owner) && r.Foreign == s.Foreign && samePointed(r.UID, s.UID)
}

func samePointed[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// Since is what a reader that has the whole table before lacks of t: a table with a
// Base. It goes by the pointers of the routes.
func (t *Routes) Since(before any) any {
	old := before.(*Routes)
	if old.Version == 0 {
		return t
	}
	changes := &Routes{Version: t.Version, Base: old.Version, Apps: []*Route{}}
	had := old.Apps
	for _, r := range t.Apps {
		for len(had) > 0 && had[0].App < r.App {
			changes.Gone = append(changes.Gone, had[0].App)
			had = had[1:]
		}
		if len(had) == 0 || had[0].App != r.App {
			changes.Apps = append(changes.Apps, r)
			continue
		}
		if had[0] != r {
			changes.Apps = append(changes.Apps, r)
		}
		had = had[1:]
	}
	for _, r := range had {
		changes.Gone = append(changes.Gone, r.App)
	}
	return changes
}

// With is the whole table that comes of t by a line of a watch: that line if it is
// whole itself. An error says that the line does not follow on t.
func (t *Routes) With(line *Routes) (*Routes, error) {
	if line.Base == 0 {
		return line, nil
	}
	if t == nil || line.Base != t.Version {
		have := uint64(0)
		if t != nil {
			have = t.Version
		}
		return nil, fmt.Errorf("the pool tells changes since version %d of the route table after version %d", line.Base, have)
	}
	whole := &Routes{Version: line.Version, Apps: make([]*Route, 0, len(t.Apps)+len(line.Apps))}
	gone := make(map[string]bool, len(line.Gone)+len(line.Apps))
	for _, name := range line.Gone {
		gone[name] = true
	}
	for _, r := range line.Apps {
		gone[r.App] = true
	}
	for _, r := range t.Apps {
		if !gone[r.App] {
			whole.Apps = append(whole.Apps, r)
		}
	}
	whole.Apps = append(whole.Apps, line.Apps...)
	slices.SortFunc(whole.Apps, func(a, b *Route) int { return cmp.Compare(a.App, b.App) })
	return whole, nil
}

// UnmarshalJSON leaves out what is no route.
func (t *Routes) UnmarshalJSON(b []byte) error {
	type plain Routes
	err := json.Unmarshal(b, (*plain)(t))
	t.Apps = slices.DeleteFunc(t.Apps, func(r *Route) bool { return r == nil })
	return err
}

// Since is what a pool that has kept the whole report before lacks of r: a report
// with Changes.
func (r ProxyReport) Since(before ProxyReport) ProxyReport {
	changes := ProxyReport{PID: r.PID, RoutesVersion: r.RoutesVersion, Leaving: r.Leaving, Changes: true}
	changes.Processes, changes.GoneProcesses = changed(before.Processes, r.Processes)
	changes.Apps, changes.GoneApps = changed(before.Apps, r.Apps)
	return changes
}

func changed[V comparable](before, now map[string]V) (differ map[string]V, gone []string) {
	differ = map[string]V{}
	for key, v := range now {
		if old, had := before[key]; !had || old != v {
			differ[key] = v
		}
	}
	for key := range before {
		if _, has := now[key]; !has {
			gone = append(gone, key)
		}
	}
	slices.Sort(gone)
	return differ, gone
}

// Take makes r, a whole report, the one that comes of it by changes.
func (r *ProxyReport) Take(changes ProxyReport) {
	r.PID, r.RoutesVersion, r.Leaving = changes.PID, changes.RoutesVersion, changes.Leaving
	r.Processes = taken(r.Processes, changes.Processes, changes.GoneProcesses)
	r.Apps = taken(r.Apps, changes.Apps, changes.GoneApps)
}

func taken[V any](have, differ map[string]V, gone []string) map[string]V {
	if have == nil {
		have = map[string]V{}
	}
	for _, key := range gone {
		delete(have, key)
	}
	maps.Copy(have, differ)
	return have
}
