package protocol

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSinceTellsWhatIsNewChangedAndGone(t *testing.T) {
	t.Parallel()
	list := func(version uint64, ids ...string) ProcessList {
		l := ProcessList{Version: version, Processes: []Process{}}
		for _, id := range ids {
			p := Process{ID: id[:1], State: Starting}
			if len(id) > 1 {
				p.State = Ready
			}
			l.Processes = append(l.Processes, p)
		}
		return l
	}
	for _, tt := range []struct {
		before, now []string
		changed     []string
		gone        []string
	}{
		{nil, nil, nil, nil},
		{nil, []string{"a", "b"}, []string{"a", "b"}, nil},
		{[]string{"a", "b", "c"}, []string{"a", "b+", "d"}, []string{"b+", "d"}, []string{"c"}},
		{[]string{"a", "b"}, nil, nil, []string{"a", "b"}},
		{[]string{"a", "b"}, []string{"b", "a"}, nil, nil},
	} {
		want := list(9, tt.changed...)
		want.Base, want.Gone = 7, tt.gone
		if diff := cmp.Diff(want, list(9, tt.now...).Since(list(7, tt.before...))); diff != "" {
			t.Errorf("%v to %v (-want +got)\n%s", tt.before, tt.now, diff)
		}
	}
}

// Each field of a process counts, and those of the structs in it.
func TestSinceSeesEveryField(t *testing.T) {
	t.Parallel()
	whole := func() Process {
		var p Process
		fill(reflect.ValueOf(&p).Elem(), "process")
		return p
	}
	p, q := whole(), whole()
	if !p.same(&q) {
		t.Fatal("a copy is not the same")
	}
	var walk func(v reflect.Value, path string)
	walk = func(v reflect.Value, path string) {
		for i := range v.NumField() {
			f, name := v.Field(i), path+"."+v.Type().Field(i).Name
			if f.Kind() == reflect.Struct && f.Type() == reflect.TypeFor[Root]() {
				walk(f, name)
				continue
			}
			old := reflect.New(f.Type()).Elem()
			old.Set(f)
			f.SetZero()
			if p.same(&q) || q.same(&p) {
				t.Errorf("%s does not count", name)
			}
			f.Set(old)
		}
	}
	walk(reflect.ValueOf(&q).Elem(), "Process")
}

func BenchmarkSince(b *testing.B) {
	var before, now ProcessList
	for i := range 1000 {
		var p Process
		fill(reflect.ValueOf(&p).Elem(), "process")
		p.ID = fmt.Sprintf("p%07d", i)
		before.Processes, now.Processes = append(before.Processes, p), append(now.Processes, p)
	}
	for b.Loop() {
		now.Since(before)
	}
}

func TestTablesFollowFromWhatChanged(t *testing.T) {
	t.Parallel()
	a, b, c, d := &Route{App: "a"}, &Route{App: "b"}, &Route{App: "c"}, &Route{App: "d"}
	b2 := &Route{App: "b", Generation: 2}
	table := func(version uint64, apps ...*Route) *Routes { return &Routes{Version: version, Apps: apps} }
	for _, tt := range []struct {
		before, now []*Route
		changed     []*Route
		gone        []string
	}{
		{nil, nil, nil, nil},
		{nil, []*Route{a, b}, []*Route{a, b}, nil},
		{[]*Route{a, b}, nil, nil, []string{"a", "b"}},
		{[]*Route{a, b, c}, []*Route{a, b2, d}, []*Route{b2, d}, []string{"c"}},
		{[]*Route{b, d}, []*Route{a, c, d}, []*Route{a, c}, []string{"b"}},
		{[]*Route{a, b, c}, []*Route{a, b, c}, nil, nil},
	} {
		before, now := table(7, tt.before...), table(9, tt.now...)
		line := now.Since(before).(*Routes)
		want := &Routes{Version: 9, Base: 7, Apps: append([]*Route{}, tt.changed...), Gone: tt.gone}
		if diff := cmp.Diff(want, line); diff != "" {
			t.Errorf("%v to %v (-want +got)\n%s", tt.before, tt.now, diff)
		}
		whole, err := before.With(line)
		if diff := cmp.Diff(append([]*Route{}, tt.now...), whole.Apps); diff != "" || err != nil || whole.Version != 9 || whole.Base != 0 {
			t.Errorf("%v and %+v: got %+v, %v", tt.before, line, whole, err)
		}
		for _, r := range whole.Apps {
			if i := slices.IndexFunc(tt.before, func(old *Route) bool { return old == r }); i < 0 && !slices.Contains(line.Apps, r) {
				t.Errorf("route of app %q has not the pointer that it had", r.App)
			}
		}
	}
	line := table(9, a).Since(table(7, a)).(*Routes)
	for what, before := range map[string]*Routes{"none": nil, "another": table(8, a)} {
		if whole, err := before.With(line); err == nil {
			t.Errorf("after %s: got %+v", what, whole)
		}
	}
	if whole, err := table(7, a).With(table(3, b)); err != nil || whole.Version != 3 || len(whole.Apps) != 1 {
		t.Errorf("a whole line: got %+v, %v", whole, err)
	}
	if v := table(9, a).Since(&Routes{}); v.(*Routes).Base != 0 {
		t.Errorf("after no table: got %+v, want the whole one", v)
	}
}

func TestWhatIsNoRouteIsLeftOut(t *testing.T) {
	t.Parallel()
	var table Routes
	if err := json.Unmarshal([]byte(`{"version": 3, "apps": [null, {"app": "a"}, null]}`), &table); err != nil || table.Version != 3 || len(table.Apps) != 1 || table.Apps[0].App != "a" {
		t.Errorf("got %+v, %v", table, err)
	}
}

func TestReportsFollowFromWhatChanged(t *testing.T) {
	t.Parallel()
	report := func(version uint64, processes, apps string) ProxyReport {
		r := ProxyReport{RoutesVersion: version, Processes: map[string]ProcessReport{}, Apps: map[string]AppReport{}}
		for _, word := range strings.Fields(processes) {
			r.Processes[word[:1]] = ProcessReport{Processed: uint64(len(word))}
		}
		for _, word := range strings.Fields(apps) {
			r.Apps[word[:1]] = AppReport{Queued: len(word)}
		}
		return r
	}
	for _, tt := range []struct{ processes, apps, nowProcesses, nowApps, changed string }{
		{"", "", "", "", ""},
		{"", "", "a", "x", "a x"},
		{"a b c", "x y", "a bb d", "x yy", "b d y -c"},
		{"a b", "x y", "a b", "x y", ""},
		{"a b", "x y", "", "", "-a -b -x -y"},
	} {
		before, now := report(3, tt.processes, tt.apps), report(4, tt.nowProcesses, tt.nowApps)
		changes := now.Since(before)
		words := slices.Sorted(maps.Keys(changes.Processes))
		words = append(words, slices.Sorted(maps.Keys(changes.Apps))...)
		for _, gone := range append(changes.GoneProcesses, changes.GoneApps...) {
			words = append(words, "-"+gone)
		}
		if got := strings.Join(words, " "); got != tt.changed || !changes.Changes || changes.RoutesVersion != 4 {
			t.Errorf("%+v: got %q, %+v", tt, got, changes)
		}
		before.Take(changes)
		if diff := cmp.Diff(now, before); diff != "" {
			t.Errorf("%+v (-want +got)\n%s", tt, diff)
		}
	}
	var none ProxyReport
	none.Take(report(4, "a", "x").Since(ProxyReport{}))
	if diff := cmp.Diff(report(4, "a", "x"), none); diff != "" {
		t.Errorf("from none (-want +got)\n%s", diff)
	}
}
