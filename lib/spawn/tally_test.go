package spawn

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/spawn/diagnosis"
)

func TestCauseOfAnExit(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]protocol.Exit{
		exitZero:    {},
		exitStatus:  {Status: 1},
		exitSignal:  {Status: -1, Signal: "SIGSEGV"},
		exitOOM:     {Status: -1, Signal: "SIGKILL", OutOfMemory: true},
		exitStopped: {ByUs: true, Status: -1, Signal: "SIGTERM"},
		exitKilled:  {ByUs: true, Status: -1, Signal: "SIGKILL"},
		exitUnknown: {Status: -1, Unknown: true},
	} {
		if got := exitCause(e); got != want {
			t.Errorf("%+v: got %q, want %q", e, got, want)
		}
	}
}

func (t *tally) text() string {
	var m control.Metrics
	t.metrics(&m)
	return string(m.Text())
}

func wantLines(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains("\n"+text, "\n"+line+"\n") {
			t.Errorf("got\n%s\nwant %s in it", text, line)
		}
	}
}

func TestStartsAndEndsAreCounted(t *testing.T) {
	t.Parallel()
	var y tally
	began := time.Now()
	y.started("shop", began.Add(-3*time.Second), nil)
	y.started("shop", began, &protocol.SpawnError{Category: protocol.CategorySyntax})
	y.started("shop", began, fmt.Errorf("so: %w", &protocol.SpawnError{Category: protocol.CategorySyntax}))
	y.started("shop", began, &protocol.SpawnError{Category: protocol.CategoryKilled, Summary: diagnosis.StoppedByUs})
	y.started("shop", began, errors.New("no start"))
	ready := protocol.Process{App: "shop", Slot: 1, ReadyAt: began, Exit: &protocol.Exit{OutOfMemory: true}}
	y.ended(ready)
	preloader, unready := ready, ready
	preloader.Slot, unready.ReadyAt = 0, time.Time{}
	y.ended(preloader)
	y.ended(unready)
	wantLines(t, y.text(),
		`passenger_start_duration_seconds_bucket{app="shop",result="ready",le="2.5"} 0`,
		`passenger_start_duration_seconds_bucket{app="shop",result="ready",le="5"} 1`,
		`passenger_start_duration_seconds_count{app="shop",result="failed"} 2`,
		`passenger_start_duration_seconds_count{app="shop",result="stopped"} 1`,
		`passenger_start_failures_total{app="shop",category="syntax"} 2`,
		`passenger_process_exits_total{app="shop",cause="oom"} 1`,
		`passenger_process_exits_total{app="shop",cause="signal"} 0`,
	)
}

func TestTallyForgetsOldApps(t *testing.T) {
	t.Parallel()
	var y tally
	for i := range mostTallied + 1 {
		y.started(fmt.Sprintf("app%d", i), time.Now(), nil)
	}
	if len(y.apps) != mostTallied || y.apps["app0"] != nil {
		t.Errorf("got %d apps, want %d without the first", len(y.apps), mostTallied)
	}
}

// A process has the lowest number that no other of its app has, and keeps it.
func TestSlots(t *testing.T) {
	t.Parallel()
	s, _ := newSpawner(t, shortDir(t))
	start := func(id, app string) protocol.Process {
		t.Helper()
		c := appConfig("ready")
		r := request(id, c)
		r.App, r.Config.Name = app, app
		p, err := s.Spawn(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	want := func(p protocol.Process, slot int) {
		t.Helper()
		if p.Slot != slot {
			t.Errorf("process %s has slot %d, want %d", p.ID, p.Slot, slot)
		}
	}
	want(start("aaaa", "shop"), 1)
	want(start("bbbb", "shop"), 2)
	want(start("cccc", "blog"), 1)
	if _, err := s.Stop("aaaa", protocol.StopRequest{}); err != nil {
		t.Fatal(err)
	}
	want(start("dddd", "shop"), 1)
	want(start("eeee", "shop"), 3)
	var m control.Metrics
	s.metrics(&m)
	wantLines(t, string(m.Text()),
		`passenger_process_exits_total{app="shop",cause="stopped"} 1`,
		`passenger_process_generation{app="shop",slot="3"} 1`,
		`passenger_start_duration_seconds_count{app="shop",result="ready"} 4`,
	)
}
