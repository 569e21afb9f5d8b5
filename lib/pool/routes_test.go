package pool

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/protocol"
)

// Proxies read files for an app by what its processes and starts told, also
// after the last one ended and in the tables of the next pool.
func TestRoutesTellWhoseFilesTheyAre(t *testing.T) {
	t.Parallel()
	c := settings("shop", 1, 0)
	w := newWorld(t, roomy)
	w.p.Put(w.now, c, "static_files_dir")
	w.tell()
	if r := w.routes.Apps[0]; r.UID != nil || !cmp.Equal(r.SetByApp, []string{"static_files_dir"}) {
		t.Errorf("before the first start: got uid %v, set by app %v", r.UID, r.SetByApp)
	}
	start := w.next()
	delete(w.list, start.ID)
	w.p.Spawned(w.now, Spawned{ID: start.ID, Err: &protocol.SpawnError{Summary: "no", App: "shop", UID: new(4711)}})
	w.decide()
	if r := w.routes.Apps[0]; r.UID == nil || *r.UID != 4711 {
		t.Errorf("after a start that failed: got uid %v", r.UID)
	}
	w.pass(w.last.Wake.Sub(w.now))
	root := protocol.Root{Device: 1, Inode: 2, Foreign: true, UID: new(4712)}
	id := w.next().ID
	r := w.become(id, 1)
	r.AppRoot, r.Root = "/srv/releases/1", root
	w.put(id, r)
	w.p.Spawned(w.now, Spawned{ID: id, Process: &r})
	w.decide()
	check := func(when string) {
		t.Helper()
		r := w.routes.Apps[0]
		if r.UID == nil || *r.UID != 4712 || len(r.Processes) != 1 || r.Processes[0].AppRoot != "/srv/releases/1" || !cmp.Equal(r.Processes[0].Root, root) {
			t.Errorf("%s: got %+v", when, r)
		}
	}
	check("a process")
	w.crash()
	w.p.Put(w.now, c)
	w.decide()
	check("the next pool, before it heard the spawner")
	w.useTable()
	w.end(id, "SIGTERM")
	w.decide()
	if r := w.routes.Apps[0]; r.UID == nil || *r.UID != 4712 {
		t.Errorf("no process any more: got uid %v", r.UID)
	}
}

// Of many apps only the route of the one that changed is made anew; the table has
// the others as they were.
func TestTableKeepsTheRoutesThatAreTheSame(t *testing.T) {
	t.Parallel()
	const apps = 1000
	w := newWorld(t, Limits{Processes: apps, Starting: 1})
	for i := range apps {
		w.p.Put(w.now, settings(fmt.Sprintf("app-%03d", i), 0, 1))
	}
	w.tell()
	renewed := func(what string, do func()) {
		t.Helper()
		before, tables := w.routes.Apps, w.tables
		do()
		n := 0
		for i, r := range w.routes.Apps {
			if r != before[i] {
				n++
			}
		}
		if w.tables == tables || n != 1 {
			t.Errorf("%s: %d of %d routes are new in %d tables, want 1", what, n, apps, w.tables-tables)
		}
	}
	renewed("a pause", func() { w.p.Pause("app-007", protocol.PausedHold); w.decide() })
	renewed("a number of processes", func() { _ = w.p.Scale("app-008", new(1)); w.decide() })
	renewed("its process", func() { w.ready() })
	w.p.Remove(w.now, "app-009")
	before := w.routes.Apps
	w.decide()
	if n := len(w.routes.Apps); n != apps-1 || w.routes.Apps[8] != before[8] || w.routes.Apps[9] != before[10] {
		t.Errorf("an app is removed: %d routes are in the table, or others are new", n)
	}
}
