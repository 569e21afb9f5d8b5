package recorder

import (
	"maps"
	"slices"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/statedir"
	"passenger/lib/status"
)

// A Column is what one number of a row is.
type Column struct {
	Name string

	// Counter says that it counts from the daemon's start, or from that of the
	// processes, on. The others are as they are in that moment.
	Counter bool

	// Busy says that it tells how much an app does.
	Busy bool
}

// Columns are what a daemon records, of each app and of itself. The lists are
// append-only: rows of older programs are shorter.
type Columns struct {
	Apps  []Column
	About []string
}

// ColumnsOf returns the columns of a daemon.
func ColumnsOf(daemon string) Columns { return columns[daemon] }

var columns = map[string]Columns{
	statedir.Spawn: {
		Apps: []Column{
			{Name: "processes"}, {Name: "memory_bytes"}, {Name: "cpu_milliseconds", Counter: true, Busy: true}, {Name: "preloaders"},
		},
	},
	statedir.Pool: {
		Apps: []Column{
			{Name: "generation"}, {Name: "starting"}, {Name: "ready"}, {Name: "draining"},
			{Name: "in_flight", Busy: true}, {Name: "failures"}, {Name: "paused"}, {Name: "restarting"},
		},
		About: []string{"max_processes", "memory_free_bytes"},
	},
	statedir.Proxy: {
		Apps: []Column{
			{Name: "requests", Counter: true, Busy: true}, {Name: "errors", Counter: true}, {Name: "rejected", Counter: true, Busy: true},
			{Name: "queued", Busy: true}, {Name: "oldest_wait_milliseconds"}, {Name: "upgraded"},
		},
		About: []string{"connections"},
	},
}

// rowsOf returns what a daemon sees of itself and of each app, in the order of its
// columns. The snapshot has that daemon's answers alone.
func rowsOf(s status.Snapshot) (about []int64, rows []Row) {
	switch {
	case s.Apps != nil:
		return []int64{int64(s.Apps.MaxPoolSize), s.Apps.Host.MemoryFree}, poolRows(s.Apps.Apps)
	case s.Proxy != nil:
		return []int64{int64(s.Proxy.Connections)}, proxyRows(s.Proxy.Report.Apps)
	case s.Processes != nil:
		return nil, spawnRows(s)
	}
	return nil, nil
}

func spawnRows(s status.Snapshot) []Row {
	apps := map[string][]int64{}
	of := func(app string) []int64 {
		if apps[app] == nil {
			apps[app] = make([]int64, 4)
		}
		return apps[app]
	}
	add := func(values []int64, u *protocol.Usage) {
		if u != nil {
			values[1] += max(0, u.PSS)
			values[2] += int64(u.CPU * 1000)
		}
	}
	for _, p := range s.Processes.Processes {
		if p.Exit == nil {
			values := of(p.App)
			values[0]++
			add(values, p.Usage)
		}
	}
	if s.Preloaders != nil {
		for _, l := range s.Preloaders.Preloaders {
			values := of(l.App)
			values[3]++
			add(values, l.Usage)
		}
	}
	return sorted(apps)
}

func poolRows(apps []protocol.App) []Row {
	rows := make([]Row, len(apps))
	for i := range apps {
		a := &apps[i]
		states, busy := map[protocol.State]int64{}, int64(0)
		for _, p := range a.Processes {
			states[p.State]++
			busy += int64(p.InFlight)
		}
		rows[i] = Row{a.Name, []int64{
			int64(a.Generation), states[protocol.Starting], states[protocol.Ready], states[protocol.Draining] + states[protocol.Stopping],
			busy, int64(a.Failures), flag(a.Paused != ""), flag(a.Restart != nil && a.Restart.EndedAt.IsZero()),
		}}
	}
	return rows
}

func proxyRows(apps map[string]protocol.AppReport) []Row {
	values := map[string][]int64{}
	for name, r := range apps {
		wait := time.Duration(r.OldestWait * float64(time.Second)).Milliseconds()
		values[name] = []int64{int64(r.Requests), int64(r.Errors), int64(r.Rejected), int64(r.Queued), wait, int64(r.Upgraded)}
	}
	return sorted(values)
}

func sorted(apps map[string][]int64) []Row {
	rows := make([]Row, 0, len(apps))
	for _, name := range slices.Sorted(maps.Keys(apps)) {
		rows = append(rows, Row{name, apps[name]})
	}
	return rows
}

func flag(on bool) int64 {
	if on {
		return 1
	}
	return 0
}
