package owner

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/protocol"
)

// The file of a table is the same, whether its routes were in the last one or not.
func TestTextIsThatOfTheWholeTable(t *testing.T) {
	t.Parallel()
	a := &protocol.Route{App: "a<b>", Processes: []protocol.RouteProcess{{ID: "1"}, {ID: "2"}}, ServerNames: []string{"x"}}
	b := &protocol.Route{App: "b", Processes: []protocol.RouteProcess{}}
	c := &protocol.Route{App: "b", Processes: []protocol.RouteProcess{}, Paused: protocol.PausedHold}
	var kept texts
	for i, apps := range [][]*protocol.Route{{}, {a}, {a, b}, {a, b}, {a, c}, {c}, {}} {
		table := &protocol.Routes{Version: uint64(i), Apps: apps}
		want, err := json.MarshalIndent(table, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got, err := kept.of(table)
		if diff := cmp.Diff(string(want)+"\n", string(got)); diff != "" || err != nil {
			t.Errorf("%d: %v (-want +got)\n%s", i, err, diff)
		}
		if len(kept) != len(apps) {
			t.Errorf("%d: %d texts are kept of %d routes", i, len(kept), len(apps))
		}
	}
}

// Of a table with many apps only what changed is made into a text.
func TestTextsAreMadeOfWhatChanged(t *testing.T) {
	t.Parallel()
	table := &protocol.Routes{Version: 1}
	for i := range 1000 {
		table.Apps = append(table.Apps, &protocol.Route{App: fmt.Sprint(i)})
	}
	var kept texts
	if _, err := kept.of(table); err != nil {
		t.Fatal(err)
	}
	before := kept
	table.Apps[7] = &protocol.Route{App: fmt.Sprint(7), Generation: 2}
	if _, err := kept.of(table); err != nil {
		t.Fatal(err)
	}
	made := 0
	for r, text := range kept {
		if old := before[r]; len(old) == 0 || &old[0] != &text[0] {
			made++
		}
	}
	if made != 1 {
		t.Errorf("%d texts were made, want 1", made)
	}
}
