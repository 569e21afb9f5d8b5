package protocol

import (
	"fmt"
	"reflect"
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
