package balance

import (
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/protocol"
	"passenger/lib/proxy/files"
)

func TestStandings(t *testing.T) {
	t.Parallel()
	failure := &protocol.SpawnError{}
	ready := protocol.RouteProcess{ID: "a", Concurrency: 3}
	for name, c := range map[string]struct {
		before, route protocol.Route
		busy          int
		want          Standing
	}{
		"it serves":               {route: protocol.Route{Processes: []protocol.RouteProcess{ready}}, want: Standing{Slots: 3, Free: 3}},
		"two of three are taken":  {route: protocol.Route{Processes: []protocol.RouteProcess{ready}}, busy: 2, want: Standing{Slots: 3, Free: 1}},
		"all are taken":           {route: protocol.Route{Processes: []protocol.RouteProcess{ready}}, busy: 3, want: Standing{Slots: 3}},
		"any number fits":         {route: protocol.Route{Processes: []protocol.RouteProcess{{ID: "a"}}}, busy: 2, want: Standing{}},
		"starts at a request":     {route: protocol.Route{}, want: Standing{}},
		"starts for the first":    {route: protocol.Route{MinInstances: 1}, want: Standing{Why: "its first process is not ready yet"}},
		"starts again":            {before: protocol.Route{Processes: []protocol.RouteProcess{ready}}, route: protocol.Route{MinInstances: 1}, want: Standing{}},
		"cannot start":            {route: protocol.Route{Error: failure}, want: Standing{Why: "it has no process, and its last start failed"}},
		"tries at a request":      {route: protocol.Route{Error: failure, TryAtRequest: true}, want: Standing{}},
		"a page says it is away":  {route: protocol.Route{Paused: protocol.PausedPage, Processes: []protocol.RouteProcess{ready}}, want: Standing{Why: "it is paused", Slots: 3}},
		"requests wait for it":    {route: protocol.Route{Paused: protocol.PausedHold, Processes: []protocol.RouteProcess{ready}}, want: Standing{Slots: 3}},
		"its process is to leave": {route: protocol.Route{MinInstances: 1, Processes: []protocol.RouteProcess{{ID: "a", Concurrency: 3, Draining: true}}}, want: Standing{Why: "its first process is not ready yet"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := New("app", func() {}, func(int) int { return 1 }, new(atomic.Int64))
			noFiles := func(*protocol.RouteProcess) *files.Sendfile { return nil }
			a.Apply(&c.before, noFiles)
			a.Apply(&c.route, noFiles)
			for range c.busy {
				if _, _, err := a.Acquire(&Waiter{}, false); err != nil {
					t.Fatal(err)
				}
			}
			c.want.App = "app"
			if diff := cmp.Diff(c.want, a.Standing(c.route.MinInstances)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
