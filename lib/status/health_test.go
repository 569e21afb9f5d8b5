package status

import (
	"strings"
	"testing"
	"time"

	"passenger/lib/protocol"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	limits := Limits{Warning: time.Second, Critical: 10 * time.Second}
	calm := func() Status {
		return Status{ProcessCount: 1, Apps: []App{{Name: "shop", Processes: []Process{{State: protocol.Ready}}}}}
	}
	for _, tt := range []struct {
		name   string
		change func(*Status)
		want   Level
		says   string
	}{
		{"calm", func(*Status) {}, OK, "PASSENGER OK - 1 app, 1 process | processes=1;;;0; busy=0"},
		{"a part down", func(s *Status) { s.Parts = []Part{{Name: "pool", State: Down, Error: "it does not run"}} }, Critical, "CRITICAL - passenger-pool is down: it does not run |"},
		{"refused", func(s *Status) { s.Warnings = []string{"settings are refused"} }, Warning, "WARNING - settings are refused |"},
		{"waits", func(s *Status) { s.Apps[0].OldestWait = 1 }, Warning, "shop: a request has waited for 1s"},
		{"waits long", func(s *Status) { s.Apps[0].OldestWait = 10 }, Critical, "shop: a request has waited for 10s"},
		{"failed start beside one that serves", func(s *Status) { s.Apps[0].LastError = &protocol.SpawnError{Summary: "a | b"} }, Warning, "failed: a / b |"},
		{"failed start, nothing serves", func(s *Status) {
			s.Apps[0].LastError, s.Apps[0].Processes = &protocol.SpawnError{Summary: "x"}, nil
		}, Critical, "failed: x |"},
		{"deploy", func(s *Status) {
			s.Apps[0].Restart = &protocol.Restart{State: protocol.RestartRolledBack, Generation: 3}
		}, Warning, "restart to generation 3"},
		{"paused", func(s *Status) { s.Apps[0].Paused = protocol.PausedHold }, Warning, "shop: paused"},
		{"the worst first", func(s *Status) { s.Apps[0].Paused, s.Apps[0].OldestWait = protocol.PausedHold, 10 }, Critical, "CRITICAL - shop: a request has waited"},
	} {
		s := calm()
		tt.change(&s)
		h := s.Health(limits)
		if text := h.Text(); h.Level != tt.want || !strings.Contains(text, tt.says) || strings.Count(strings.SplitN(text, "\n", 2)[0], "|") != 1 {
			t.Errorf("%s: got %v and %q, want %v and %q", tt.name, h.Level, text, tt.want, tt.says)
		}
	}
}
