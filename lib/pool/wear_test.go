package pool

import (
	"testing"
	"time"

	"passenger/lib/protocol"
)

func TestWornProcessIsReplacedFirst(t *testing.T) {
	t.Parallel()
	c := settings("shop", 2, 0)
	c.MaxRequests, c.MemoryLimit = 100, 10
	for _, tt := range []struct {
		name string
		wear func(w *world)
	}{
		{"requests", func(w *world) { w.served("p001", 100, 0) }},
		{"memory", func(w *world) {
			w.p.Measured(Host{Processes: map[string]int64{"p001": 10<<20 + 1, "p002": 10 << 20}})
			w.decide()
		}},
		{"refused connections", func(w *world) {
			w.report.Processes["p001"] = protocol.ProcessReport{ConnectFailed: true, RefusedFor: deafTime - 0.1}
			w.reports()
			w.want("shop", "1:ready 1:ready")
			w.report.Processes["p001"] = protocol.ProcessReport{RefusedFor: deafTime}
			w.reports()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := serving(t, roomy, c)
			tt.wear(w)
			w.want("shop", "1:ready 1:ready 1:starting")
			w.wantRoute("shop", "p001 p002")
			w.ready()
			w.want("shop", "1:stopping 1:ready 1:ready")
			w.wantRoute("shop", "p001(draining) p002 p003")
			w.run()
			w.want("shop", "1:ready 1:ready")
		})
	}
}

func TestProcessesThatWearOutTogetherAreReplacedInTurn(t *testing.T) {
	t.Parallel()
	c := settings("shop", 2, 0)
	c.MaxRequests = 100
	w := serving(t, roomy, c)
	w.served("p001", 120, 0)
	w.served("p002", 120, 0)
	w.want("shop", "1:ready 1:ready 1:starting")
	w.ready()
	w.want("shop", "1:stopping 1:ready 1:ready 1:starting")
	w.run()
	w.want("shop", "1:ready 1:ready")
	w.wantRoute("shop", "p003 p004")
}

func TestMaxRequestsDifferByProcess(t *testing.T) {
	t.Parallel()
	c := settings("shop", 1, 0)
	c.MaxRequests = 100
	w := newWorld(t, roomy)
	w.p.chance.Jitter = func() float64 { return 0.5 }
	w.p.Put(w.now, c)
	w.tell()
	w.ready()
	w.served("p001", 94, 0)
	w.want("shop", "1:ready")
	w.served("p001", 95, 0)
	w.want("shop", "1:ready 1:starting")
}

func TestWornProcessWithoutRoomGoesFirst(t *testing.T) {
	t.Parallel()
	c := settings("shop", 2, 2)
	c.MaxRequests = 100
	w := serving(t, roomy, c)
	w.served("p001", 100, 0)
	w.want("shop", "1:stopping 1:ready")
	w.stopped()
	w.want("shop", "1:ready 1:starting")
}

func TestReplacementThatFailsLeavesTheWornOneServing(t *testing.T) {
	t.Parallel()
	c := settings("shop", 1, 0)
	c.MaxRequests = 100
	w := serving(t, roomy, c)
	w.served("p001", 100, 0)
	w.fail("no memory")
	w.wantRoute("shop", "p001")
	w.pass(time.Second)
	w.want("shop", "1:ready 1:starting")
	w.ready()
	w.run()
	w.wantRoute("shop", "p003")
}

func TestBloatedProcessIsStoppedAtOnce(t *testing.T) {
	t.Parallel()
	c := settings("shop", 1, 0)
	c.MemoryLimit = 10
	w := serving(t, roomy, c)
	w.inFlight("p001", 1)
	w.p.Measured(Host{Processes: map[string]int64{"p001": 20<<20 + 1}})
	w.decide()
	w.want("shop", "1:stopping 1:starting")
}

func TestStuckProcessGoes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		concurrency int
		want        string
	}{
		{"at once, where it takes one request at a time", 1, "1:stopping 1:starting"},
		{"after its replacement, where others have requests there", 0, "1:ready 1:starting"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := serving(t, roomy, settings("shop", 1, 0))
			w.become("p001", tt.concurrency)
			w.tell()
			w.report.Processes["p001"] = protocol.ProcessReport{Processed: 1, Errors: 1, Stuck: 1}
			w.reports()
			w.want("shop", tt.want)
			w.run()
			w.want("shop", "1:ready")
			w.wantRoute("shop", "p002")
		})
	}
}
