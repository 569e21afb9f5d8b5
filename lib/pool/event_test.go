package pool

import (
	"testing"
	"time"

	"passenger/lib/protocol"
)

// events are the names of what happened since the last call.
func (w *world) happened() string {
	names := ""
	for _, e := range w.events {
		names += " " + e.Event
		if e.Process != nil {
			names += " " + e.Process.ID
		}
		if e.Error != nil {
			names += " " + e.Error.Summary
		}
	}
	w.events = nil
	return names
}

func TestEvents(t *testing.T) {
	t.Parallel()
	c := settings("shop", 1, 0)
	w := newWorld(t, roomy)
	w.p.Put(w.now, c)
	w.tell()
	w.reports()
	for _, step := range []struct {
		do   func()
		want string
	}{
		{func() { w.fail("no such gem") }, " spawn_failed no such gem"},
		{func() { w.pass(time.Second); w.ready() }, " attached_process p002"},
		{func() { w.restart(c, false); w.fail("syntax error") }, " spawn_failed syntax error deploy_failed syntax error"},
		{func() { w.die("p002") }, " detached_process p002"},
	} {
		step.do()
		if got := w.happened(); got != step.want {
			t.Errorf("got events %q, want %q", got, step.want)
		}
	}
}

func TestFullQueueIsAnEventOnceAMinute(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, settings("shop", 1, 0))
	w.happened()
	reject := func(n uint64) {
		w.report.Apps["shop"] = protocol.AppReport{Rejected: n}
		w.reports()
	}
	reject(3)
	reject(5)
	if len(w.events) != 1 || w.events[0].Rejected != 3 || w.events[0].Event != protocol.EventQueueFull {
		t.Fatalf("got %+v, want one event of 3", w.events)
	}
	w.pass(fullPause)
	if len(w.events) != 2 || w.events[1].Rejected != 2 {
		t.Fatalf("got %+v, want a second one of 2", w.events)
	}
	reject(0) // another proxy
	w.pass(2 * fullPause)
	if len(w.events) != 2 {
		t.Errorf("got %+v of a proxy that counts anew", w.events)
	}
}
