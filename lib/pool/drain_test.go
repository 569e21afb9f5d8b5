package pool

import (
	"testing"
	"time"

	"passenger/lib/protocol"
)

// draining makes a world in which p001 is to go.
func draining(t *testing.T, prepare func(w *world)) *world {
	w := serving(t, roomy, settings("shop", 1, 0))
	prepare(w)
	w.p.Remove(w.now, "shop")
	w.decide()
	return w
}

func TestDrainWaits(t *testing.T) {
	t.Parallel()
	w := draining(t, func(w *world) { w.inFlight("p001", 2); w.lagging = true })
	w.want("shop", "1:draining")
	w.inFlight("p001", 0)
	w.want("shop", "1:draining") // the proxy may send it one more
	w.lagging = false
	w.inFlight("p001", 1)
	w.want("shop", "1:draining")
	w.inFlight("p001", 0)
	w.want("shop", "1:stopping")
}

func TestDrainWaitsForAllProxies(t *testing.T) {
	t.Parallel()
	w := draining(t, func(w *world) {
		w.p.Reported(w.now, "second", protocol.ProxyReport{Processes: map[string]protocol.ProcessReport{"p001": {InFlight: 1}}})
	})
	w.reports()
	w.want("shop", "1:draining")
	w.p.Reported(w.now, "second", protocol.ProxyReport{Leaving: true})
	w.decide()
	w.want("shop", "1:stopping")
}

func TestDrainEndsAtItsDeadline(t *testing.T) {
	t.Parallel()
	w := draining(t, func(w *world) { w.inFlight("p001", 1) })
	w.pass(30*time.Second - time.Millisecond)
	w.want("shop", "1:draining")
	w.pass(time.Millisecond)
	w.want("shop", "1:stopping")
}

func TestDrainDoesNotWaitForASilentProxy(t *testing.T) {
	t.Parallel()
	w := draining(t, func(w *world) { w.inFlight("p001", 1) })
	w.proxied = false
	w.pass(protocol.ReportExpiry)
	w.want("shop", "1:stopping")
}

// The pool was stopped, and the reports of that time wait for it.
func TestDrainWaitsForAProxyThatAStoppedPoolDidNotHear(t *testing.T) {
	t.Parallel()
	w := draining(t, func(w *world) { w.inFlight("p001", 1) })
	w.now = w.now.Add(2 * protocol.ReportExpiry)
	w.decide()
	w.want("shop", "1:draining")
	w.proxied = false
	w.pass(protocol.ReportExpiry)
	w.want("shop", "1:stopping")
}

// What a proxy answered counts once, though it was silent for a while.
func TestCountsOfAProxyThatIsHeardAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, roomy)
	w.p.Put(w.now, settings("shop", 1, 1))
	w.tell()
	w.ready()
	w.proxied = true
	want := func(n uint64) {
		t.Helper()
		if got := w.view("shop").Processes[0].Processed; got != n {
			t.Errorf("%d requests processed, want %d", got, n)
		}
	}
	for range 2 {
		w.served("p001", 10, 0)
		w.proxied = false
		w.pass(protocol.ReportExpiry)
		if len(w.p.proxies) != 0 {
			t.Fatal("the proxy is not silent")
		}
		want(10)
	}
	w.served("p001", 12, 0)
	want(12)
	w.p.Reported(w.now, "second", protocol.ProxyReport{Processes: map[string]protocol.ProcessReport{"p001": {Processed: 3}}})
	want(15)
	w.p.Reported(w.now, "second", protocol.ProxyReport{Leaving: true})
	want(15)

	// What it answered since its last report is in its last word.
	for _, changes := range []bool{false, true} {
		w.p.Reported(w.now, "third", protocol.ProxyReport{Processes: map[string]protocol.ProcessReport{"p001": {Processed: 5}}})
		w.p.Reported(w.now, "third", protocol.ProxyReport{
			Processes: map[string]protocol.ProcessReport{"p001": {Processed: 10}}, Changes: changes, Leaving: true,
		})
	}
	want(35)
}

func TestDrainWithoutAProxyIsOverAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, roomy)
	w.p.Put(w.now, settings("shop", 1, 0))
	w.tell()
	w.pass(time.Minute)
	w.ready()
	w.p.Remove(w.now, "shop")
	w.decide()
	w.want("shop", "1:stopping")
}

func TestDrainOfAYoungPoolWaitsForProxies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, roomy)
	w.p.Put(w.now, settings("shop", 1, 0))
	w.tell()
	w.ready()
	w.p.Remove(w.now, "shop")
	w.decide()
	w.want("shop", "1:draining")
	w.pass(proxyGrace)
	w.want("shop", "1:stopping")
}

func TestStopThatCameToNothingIsTriedAgain(t *testing.T) {
	t.Parallel()
	w := draining(t, func(*world) {})
	w.useTable()
	w.want("shop", "1:stopping")
	w.p.SpawnerLost()
	w.p.Stopped(w.now, "p001", false)
	w.stops = nil
	w.pass(time.Minute)
	if len(w.stops) > 0 {
		t.Fatal("stopped while the spawner is down")
	}
	w.tell()
	w.stopped()
	w.want("shop", "none")
	if len(w.removed) != 1 {
		t.Errorf("removed: %v", w.removed)
	}
}

func TestStopOvertakesStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, roomy)
	w.p.Put(w.now, settings("shop", 1, 0))
	w.tell()
	w.p.Remove(w.now, "shop")
	w.decide()
	w.want("shop", "1:stopping")
	w.p.Stopped(w.now, "p001", true) // the spawner did not know it yet
	w.stops = nil
	w.decide()
	w.ready()
	w.want("shop", "1:stopping")
	w.stopped()
	w.want("shop", "none")
}
