package phusion

import (
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/protocol"
	"passenger/lib/status"
)

var now = time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)

// shop has a process of each state.
func shop() status.Snapshot {
	s := status.Snapshot{At: now, Processes: &protocol.ProcessList{}, Apps: &protocol.AppList{MaxPoolSize: 6}, Parts: []status.Part{{Name: "spawn", State: status.Up, Release: "0.1.0"}}}
	a := protocol.App{Name: "shop", Queued: 3, State: protocol.AppRestarting, Config: protocol.AppConfig{AppRoot: "/srv/<ß>&", Type: "rack"}}
	for i, state := range []protocol.State{protocol.Ready, protocol.Draining, protocol.Stopping, protocol.Starting} {
		p := protocol.Process{
			ID: strings.Repeat("a", i+4), App: "shop", PID: 100 + i, State: state, Concurrency: 2,
			StartedAt: now.Add(-90 * time.Second), ReadyAt: now.Add(-89 * time.Second),
			Usage: &protocol.Usage{PSS: 4 << 20, RSS: 8 << 20, CPU: 9},
		}
		s.Processes.Processes = append(s.Processes.Processes, p)
		a.Processes = append(a.Processes, protocol.AppProcess{Process: p, InFlight: 1, Processed: 7, LastUsed: now.Add(-time.Hour)})
	}
	s.Apps.Apps = []protocol.App{a}
	return s
}

func TestXMLHasTheFieldsThatOthersParse(t *testing.T) {
	t.Parallel()
	s := shop()
	text, err := XML(s, s.Status())
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r > 0x7e }) {
		t.Errorf("got characters beyond ASCII: %s", text)
	}
	var got struct {
		Count  int `xml:"process_count"`
		Max    int `xml:"max"`
		Groups []struct {
			Name  string `xml:"name"`
			Group struct {
				Root      string    `xml:"app_root"`
				Waits     int       `xml:"get_wait_list_size"`
				Spawning  int       `xml:"processes_being_spawned"`
				Enabled   int       `xml:"enabled_process_count"`
				Processes []process `xml:"processes>process"`
			} `xml:"group"`
		} `xml:"supergroups>supergroup"`
	}
	text = strings.TrimPrefix(text, header) // encoding/xml reads no other encoding
	if err := xml.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	g := got.Groups[0].Group
	if got.Count != 1 || got.Max != 6 || g.Root != "/srv/<ß>&" || g.Waits != 3 || g.Spawning != 1 || g.Enabled != 1 || len(g.Processes) != 3 {
		t.Fatalf("got %+v", got)
	}
	p := g.Processes[0]
	p.SpawnerMade, p.SpawnStart, p.SpawnEnd, p.LastUsed = 0, 0, 0, 0
	want := process{
		PID: 100, Sticky: "aaaa", GUPID: "aaaa", Concurrency: 2, Sessions: 1, Busyness: 1073741823, Processed: 7, LastUsedWords: "1h 0m 0s ago",
		Uptime: "1m 30s", LifeStatus: "ALIVE", Enabled: "ENABLED", HasMetrics: true, CPU: 10, RSS: 8192, PSS: 4096, RealMemory: 4096, ProcessGroup: 100,
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("process (-want +got):\n%s", diff)
	}
	if g.Processes[1].Enabled != "DETACHED" || g.Processes[2].LifeStatus != "SHUTDOWN_TRIGGERED" {
		t.Errorf("got %+v", g.Processes)
	}
}

func TestServer(t *testing.T) {
	t.Parallel()
	text, err := Server([]protocol.Request{{Method: "GET", Path: "/</script>", PID: 7, Age: 2}}, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"active_client_count": 1`, `"1-1": {`, `"timestamp": 1796029198`, `"pid": 7`} {
		if !strings.Contains(text, want) {
			t.Errorf("got no %q in %s", want, text)
		}
	}
}
