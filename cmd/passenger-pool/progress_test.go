package main

import (
	"strings"
	"testing"
	"time"

	"passenger/lib/protocol"
)

func running(state protocol.State, inFlight int) protocol.AppProcess {
	return protocol.AppProcess{Process: protocol.Process{State: state}, InFlight: inFlight}
}

func TestARestartSaysWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	under := &protocol.Restart{State: protocol.RestartRunning}
	watched := time.Date(2026, 11, 23, 9, 30, 0, 0, time.Local)
	for want, a := range map[string]protocol.App{
		"": {Restart: &protocol.Restart{State: protocol.RestartDone, EndedAt: watched}},
		"its errors are watched until 09:30:00": {
			Restart: &protocol.Restart{State: protocol.RestartWatching, WatchedUntil: watched},
		},
		"waiting for room to start a process": {Restart: under, Processes: []protocol.AppProcess{running(protocol.Ready, 0)}},
		"waiting for 1 process to load, 2 processes to drain, with 4 requests in flight, 1 process to stop": {
			Restart: under, Processes: []protocol.AppProcess{
				running(protocol.Starting, 0), running(protocol.Draining, 1),
				running(protocol.Draining, 3), running(protocol.Stopping, 0),
			},
		},
	} {
		if got := waitsFor(a); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := waitsFor(protocol.App{}); got != "" {
		t.Errorf("no restart: got %q", got)
	}
}

func TestProgressIsToldOnce(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	told := map[string]string{}
	loading := protocol.App{
		Name: "shop", Restart: &protocol.Restart{State: protocol.RestartRunning},
		Processes: []protocol.AppProcess{running(protocol.Starting, 0)},
	}
	for range 3 {
		tellChanges(&out, told, []protocol.App{loading})
	}
	if want := "passenger-pool: app \"shop\": waiting for 1 process to load\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}
