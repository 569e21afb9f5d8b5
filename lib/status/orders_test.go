package status

import (
	"strings"
	"testing"
	"time"

	"passenger/lib/protocol"
)

func TestOrdersAndRestartsAreTold(t *testing.T) {
	t.Parallel()
	two := 2
	sick := &protocol.SpawnError{Summary: "GET /up was answered with status 500"}
	for _, tt := range []struct {
		name string
		a    App
		want string
	}{
		{"nothing to tell", App{Restart: &protocol.Restart{State: protocol.RestartDone}}, ""},
		{"held", App{Paused: protocol.PausedHold}, "  paused: requests wait; passenger-pool resume ends it\n"},
		{"a page", App{Paused: protocol.PausedPage}, "  paused: requests get a maintenance page; passenger-pool resume ends it\n"},
		{"scaled", App{Name: "shop", Instances: &two}, "  scaled to 2 processes; passenger-pool scale shop auto ends it\n"},
		{"running", App{Restart: &protocol.Restart{
			Generation: 4, State: protocol.RestartRunning, Mode: "rolling", Cause: "restart.txt", BeganAt: now.Add(-3 * time.Second),
		}}, "  rolling restart to generation 4 began 3s ago (restart.txt)\n"},
		{"watched", App{Restart: &protocol.Restart{
			Generation: 4, State: protocol.RestartWatching, WatchedUntil: now.Add(40 * time.Second),
		}}, "  generation 4 is on trial for another 40s\n"},
		{"failed", App{Generation: 3, Restart: &protocol.Restart{
			Generation: 4, State: protocol.RestartFailed, EndedAt: now.Add(-time.Minute), Error: sick,
		}}, "  restart to generation 4 failed 1m ago: GET /up was answered with status 500\n    generation 3 serves; next try: the next restart\n"},
		{"failed, and nothing else is there", App{Generation: 4, Restart: &protocol.Restart{
			Generation: 4, State: protocol.RestartFailed, EndedAt: now.Add(-time.Minute), Error: sick,
		}}, "  restart to generation 4 failed 1m ago: GET /up was answered with status 500\n"},
		{"taken back", App{Generation: 3, Restart: &protocol.Restart{
			Generation: 4, State: protocol.RestartRolledBack, EndedAt: now.Add(-time.Minute),
		}}, "  restart to generation 4 was taken back 1m ago: the cause is not known\n    generation 3 serves; next try: the next restart\n"},
	} {
		var b strings.Builder
		tt.a.writeOrders(&b, Style{})
		tt.a.writeRestart(&b, Style{}, now)
		if got := b.String(); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
