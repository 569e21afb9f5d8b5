package main

import (
	"strings"
	"testing"
	"testing/synctest"
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
		"": {State: protocol.AppReady, Restart: &protocol.Restart{State: protocol.RestartDone, EndedAt: watched}},
		"the new version is on trial until 09:30:00": {
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
	late := time.Date(2026, 11, 23, 9, 31, 2, 0, time.Local)
	for want, a := range map[string]protocol.App{
		"": {State: protocol.AppReady},
		"waiting for 2 processes (pid 4300) to load": {State: protocol.AppStarting, Processes: []protocol.AppProcess{
			running(protocol.Starting, 0), {Process: protocol.Process{PID: 4300, State: protocol.Starting}},
		}},
		"no database; next try at 09:31:02": {State: protocol.AppBackoff, LastError: &protocol.SpawnError{Summary: "no database"}, NextTry: late},
	} {
		if got := waitsFor(a); got != want {
			t.Errorf("no restart: got %q, want %q", got, want)
		}
	}
}

func TestProgressIsToldOnceWithTheTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		p := &progress{w: &out, began: time.Now(), told: map[string]string{}}
		loading := protocol.App{
			Name: "shop", Restart: &protocol.Restart{State: protocol.RestartRunning},
			Processes: []protocol.AppProcess{running(protocol.Starting, 0)},
		}
		for range 3 {
			time.Sleep(1500 * time.Millisecond)
			p.tell([]protocol.App{loading})
		}
		if want := "passenger-pool: app \"shop\", 1.5s: waiting for 1 process to load\n"; out.String() != want {
			t.Errorf("got %q, want %q", out.String(), want)
		}
	})
}
