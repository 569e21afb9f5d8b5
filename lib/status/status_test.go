package status

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/protocol"
)

var update = flag.Bool("update", false, "write the golden files anew")

var now = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

func upParts() []Part {
	return []Part{
		{Name: "spawn", State: Up, PID: 101, Release: "0.1.0", Uptime: 11520, Usage: cost(7)},
		{Name: "pool", State: Up, PID: 102, Release: "0.1.0", Uptime: 11519, Usage: cost(8)},
		{Name: "proxy", State: Up, PID: 103, Release: "0.1.0", Uptime: 90061, Usage: cost(15), Listen: []string{"127.0.0.1:3000", "unix:/run/web.sock"}},
	}
}

func cost(mib int64) *protocol.Usage {
	return &protocol.Usage{PSS: mib << 20, RSS: 2 * mib << 20, CPU: 1.5, Threads: 9}
}

func process(id string, pid int, state protocol.State, age time.Duration) protocol.Process {
	return protocol.Process{
		Version: 1, ID: id, App: "shop", Generation: 3, State: state, PID: pid,
		Address: "unix:/run/passenger/processes/" + id + "/app.sock", DataProtocol: protocol.ProtocolSession,
		Concurrency: 1, Type: protocol.TypeRack, AppRoot: "/srv/shop/releases/7", Command: []string{"ruby", "rack.rb"},
		User: "shop", StartedAt: now.Add(-age),
		Usage: &protocol.Usage{PSS: 45 << 20, RSS: 60 << 20, CPU: 72.34, Threads: 2},
	}
}

// night is a full house: one app serves and waits and is restarting, one fails.
func night() Snapshot {
	one := 1
	ready := process("aaaa", 4130, protocol.Ready, 3*time.Hour+12*time.Minute)
	draining := process("bbbb", 4200, protocol.Ready, 36*time.Hour)
	draining.Generation = 2
	starting := process("cccc", 4300, protocol.Starting, 2*time.Second)
	starting.Address, starting.Usage = "", nil
	starting.PID = 0
	killed := process("dddd", 4000, protocol.Exited, 5*time.Minute)
	killed.Exit = &protocol.Exit{At: now.Add(-20 * time.Second), Cause: "killed by SIGSEGV", Status: -1, Signal: "SIGSEGV"}
	drained := protocol.AppProcess{Process: draining, InFlight: 1, Processed: 99}
	drained.State = protocol.Draining
	return Snapshot{
		At: now, StateDir: "/run/passenger", Parts: upParts(),
		Processes: &protocol.ProcessList{Version: 9, Processes: []protocol.Process{draining, killed, ready, starting}},
		Preloaders: &protocol.PreloaderList{Preloaders: []protocol.Preloader{
			{ID: "llll", App: "shop", Generation: 2, State: protocol.Stopping, PID: 4090, StartedAt: now.Add(-37 * time.Hour), Usage: cost(20)},
			{ID: "mmmm", App: "shop", Generation: 3, State: protocol.Ready, PID: 4100, StartedAt: now.Add(-4 * time.Hour), Forked: 2, LastFork: now.Add(-2 * time.Second), Usage: cost(80)},
		}},
		Apps: &protocol.AppList{
			MaxPoolSize: 6, SpawnerUp: true, Proxies: []string{"p1"},
			Apps: []protocol.App{{
				Name: "shop", Generation: 3, State: protocol.AppRestarting, Queued: 2, OldestWait: 0.5,
				Config: protocol.AppConfig{
					AppRoot: "/srv/shop/current", Type: protocol.TypeRack, Environment: "production",
					ServerNames: []string{"shop.example.com"}, BaseURI: "/", MinInstances: &one,
				},
				Processes: []protocol.AppProcess{
					{Process: ready, InFlight: 0, Processed: 1234000, LastUsed: now.Add(-5 * time.Second)},
					drained,
					{Process: starting},
				},
			}, {
				Name: "blog", Generation: 1, State: protocol.AppBackoff, Failures: 3, NextTry: now.Add(4 * time.Second),
				Config: protocol.AppConfig{AppRoot: "/srv/blog", Type: protocol.TypeWSGI, Environment: "production", BaseURI: "/blog"},
				LastError: &protocol.SpawnError{
					Category: protocol.CategoryDependency, Summary: `the Python module "flask" is missing`,
					Advice: "Install it.", App: "blog", At: now.Add(-12 * time.Second),
					Output: []string{"1", "2", "3", "4", "5", "\x1b[2JModuleNotFoundError"},
				},
			}},
		},
		Proxy: &protocol.ProxyApps{RoutesVersion: 12, Connections: 40, Report: protocol.ProxyReport{
			Processes: map[string]protocol.ProcessReport{
				"aaaa": {InFlight: 1, Processed: 1234567, LastUsed: now},
				"bbbb": {InFlight: 1, Processed: 98, LastUsed: now.Add(-4 * time.Minute)},
			},
			Apps: map[string]protocol.AppReport{"shop": {Queued: 3, OldestWait: 1.25, Requests: 1234666, Rejected: 7, Upgraded: 2}},
		}},
		Routes: protocol.Routes{Version: 12},
	}
}

// alone is the same with only the proxy left.
func alone() Snapshot {
	s := night()
	s.Parts[0] = Part{Name: "spawn", State: Silent, PID: 101, Error: "no answer within 900ms"}
	s.Parts[1] = Part{Name: "pool", State: Down, Error: "it does not run"}
	s.Records = []protocol.Process{s.Processes.Processes[0], s.Processes.Processes[2]}
	s.Processes, s.Preloaders, s.Apps = nil, nil, nil
	s.Routes.Apps = []*protocol.Route{{
		App: "shop", Generation: 3, BaseURI: "/", ServerNames: []string{"shop.example.com"},
		Processes: []protocol.RouteProcess{{ID: "aaaa"}, {ID: "bbbb", Draining: true}},
	}, {App: "blog", Generation: 1, BaseURI: "/blog"}}
	return s
}

// ashes has nothing left but the processes.
func ashes() Snapshot {
	s := alone()
	s.Proxy = nil
	for i := range s.Parts {
		s.Parts[i] = Part{Name: s.Parts[i].Name, State: Down, Error: "it does not run"}
	}
	s.Records[0].Usage.PSS = -1
	return s
}

func odd() Snapshot {
	s := night()
	s.Apps.SpawnerUp, s.Apps.Proxies, s.Apps.Apps = false, nil, nil
	s.Processes.Processes, s.Preloaders.Preloaders = nil, nil
	return s
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]Snapshot{"night": night(), "alone": alone(), "ashes": ashes(), "odd": odd()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := s.Status()
			b, err := json.MarshalIndent(st, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".json", string(b)+"\n")
			golden(t, name+".txt", st.Text(Style{}))
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", name, diff)
	}
}

func TestColourMovesNoColumn(t *testing.T) {
	t.Parallel()
	st := night().Status()
	text := st.Text(Style{Colour: true})
	for _, code := range []string{"\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[1;31m", "\x1b[32m", "\x1b[33m"} {
		if !strings.Contains(text, code) {
			t.Errorf("got no %q in the coloured text", code)
		}
		text = strings.ReplaceAll(text, code, "")
	}
	if diff := cmp.Diff(st.Text(Style{}), text); diff != "" {
		t.Errorf("text without its marks differs from the plain one:\n%s", diff)
	}
}

func TestSinceGivesShareOfProcessor(t *testing.T) {
	t.Parallel()
	earlier, later := night(), night()
	later.At = now.Add(2 * time.Second)
	for _, p := range later.Processes.Processes {
		if p.Usage != nil {
			p.Usage.CPU++
		}
	}
	st := later.Status()
	st.Since(earlier.Status())
	p := st.Apps[1].Processes[0]
	if p.CPUPercent == nil || *p.CPUPercent != 50 {
		t.Errorf("got %v, want 50 %%", p.CPUPercent)
	}
}

func TestOnlyKeepsOneApp(t *testing.T) {
	t.Parallel()
	st := night().Status()
	if st.Only("none") {
		t.Error("got an app called none")
	}
	st = night().Status()
	if !st.Only("blog") || len(st.Apps) != 1 {
		t.Errorf("got %v, want blog alone", st.AppNames())
	}
}

// What is shown of one app does not change how many processes there are.
func TestCountsAreOfAllAppsWhicheverIsShown(t *testing.T) {
	t.Parallel()
	all, one := night().Status(), night().Status()
	one.Only("blog")
	if one.ProcessCount != 3 || one.Memory == nil || *one.Memory != *all.Memory {
		t.Errorf("got %d processes and %v, want 3 and the memory of all", one.ProcessCount, one.Memory)
	}
	if text := one.Text(Style{}); !strings.Contains(text, "3 of at most 6 processes") {
		t.Errorf("got\n%s", text)
	}
}

func TestMemoryIsKnownOnlyIfAllOfItIs(t *testing.T) {
	t.Parallel()
	s := night()
	// 2 processes of 45, preloaders of 20 and 80, daemons of 7, 8 and 15 MiB
	if got := s.Status(); *got.Apps[1].Memory != 190<<20 || *got.Memory != 220<<20 {
		t.Errorf("got %d and %d", *got.Apps[1].Memory, *got.Memory)
	}
	s.Preloaders.Preloaders[0].Usage = &protocol.Usage{PSS: -1}
	if got := s.Status(); got.Apps[1].Memory != nil || got.Memory != nil || *got.Apps[0].Memory != 0 {
		t.Errorf("got %v and %v, want none", got.Apps[1].Memory, got.Memory)
	}
}
