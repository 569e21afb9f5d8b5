package pool

import (
	"testing"
	"time"
)

// jumps are what a wall clock may do while the monotonic one runs on.
var jumps = []time.Duration{-time.Hour, time.Hour, 20 * 365 * 24 * time.Hour}

func TestWallClockThatJumpsChangesNothing(t *testing.T) {
	t.Parallel()
	for _, jump := range jumps {
		shop := settings("shop", 1, 2)
		shop.MaxRequestTime = 30
		w := serving(t, roomy, shop)
		w.inFlight("p001", 1)
		w.queue("shop", 1)
		w.pass(2 * time.Second) // what waits gets a second process
		w.run()
		w.queue("shop", 0)
		w.want("shop", "1:ready 1:ready")

		w.skew = jump
		w.tell()
		w.pass(200 * time.Second)
		w.want("shop", "1:ready 1:ready")
		w.inFlight("p001", 0)
		w.pass(400 * time.Second) // over the idle time
		w.run()
		w.want("shop", "1:ready")
	}
}

func TestRestartEndsAlthoughTheWallClockJumps(t *testing.T) {
	t.Parallel()
	for _, jump := range jumps {
		w := serving(t, roomy, settings("shop", 2, 4))
		w.restart(w.p.apps["shop"].config, false)
		w.ready()
		w.skew = jump
		w.run()
		w.pass(time.Minute)
		w.run()
		w.want("shop", "2:ready 2:ready")
	}
}

func TestPromotionReplacesOnceAlthoughTheWallClockJumps(t *testing.T) {
	t.Parallel()
	for _, jump := range jumps {
		w := reforked(t)
		w.served("p001", 100, 0)
		w.pass(time.Second)
		w.p.Promoted("p001", true)
		w.skew = jump
		w.pass(time.Second)
		for range 2 {
			w.forkedFrom(w.ready(), "l002")
			w.tell()
			w.stopped()
			w.pass(time.Second)
		}
		w.pass(time.Hour)
		if len(w.starts) > 0 {
			t.Errorf("jump of %v: started again: %v", jump, w.starts)
		}
		w.want("shop", "1:ready 1:ready")
	}
}

func TestSuspendedMachineGoesOnWithWhatItHad(t *testing.T) {
	t.Parallel()
	shop := settings("shop", 2, 4)
	shop.MaxRequestTime = 30
	w := serving(t, roomy, shop)
	w.inFlight("p001", 1)
	w.now = w.now.Add(time.Hour) // no proxy reports and the pool decides nothing
	w.decide()
	w.tell()
	w.reports()
	w.pass(time.Minute)
	w.want("shop", "1:ready 1:ready")
	if len(w.starts)+len(w.stops) > 0 {
		t.Errorf("started %v and stopped %v", w.starts, w.stops)
	}
	w.wantRoute("shop", "p001 p002")
}
