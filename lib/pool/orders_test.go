package pool

import (
	"strings"
	"testing"
	"time"
)

func TestPausedAppStartsNothingAndFallsQuiet(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, settings("shop", 1, 0))
	w.inFlight("p001", 1)
	w.lagging = true
	w.p.Pause("shop", "hold")
	w.decide()
	w.report.Processes = nil
	w.reports()
	if w.p.Quiet(w.now, "shop") {
		t.Error("quiet before the proxy knows")
	}
	w.lagging = false
	w.inFlightAnew("p001", 1)
	if w.p.Quiet(w.now, "shop") {
		t.Error("quiet with a request in flight")
	}
	w.inFlightAnew("p001", 0)
	if !w.p.Quiet(w.now, "shop") {
		t.Error("not quiet")
	}
	w.queue("shop", 50)
	w.want("shop", "1:ready")
	if got := w.routes.Apps[0].Paused; got != "hold" {
		t.Errorf("the table says paused %q", got)
	}
	w.p.Pause("shop", "")
	w.queue("shop", 2)
	w.want("shop", "1:ready 1:starting 1:starting")
}

func (w *world) inFlightAnew(id string, n int) {
	w.report = reportOf(w.report.RoutesVersion)
	w.useTable()
	w.inFlight(id, n)
}

func TestScaleSetsTheNumberWhateverTheDemand(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, settings("shop", 1, 4))
	n := 3
	if err := w.p.Scale("shop", &n); err != nil {
		t.Fatal(err)
	}
	w.decide()
	w.run()
	w.want("shop", "1:ready 1:ready 1:ready")
	w.queue("shop", 50)
	w.want("shop", "1:ready 1:ready 1:ready")
	n = 2
	w.p.Scale("shop", &n)
	w.queue("shop", 0)
	w.run()
	w.want("shop", "1:ready 1:ready")
	w.crash(settings("shop", 1, 4)) // the table keeps it
	w.tell()
	w.reports()
	w.pass(time.Hour)
	w.want("shop", "1:ready 1:ready")
	w.p.Scale("shop", nil)
	w.pass(time.Hour)
	w.run()
	w.want("shop", "1:ready")
}

func TestScaleRefusesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	w := serving(t, Limits{Processes: 4, Starting: 4}, settings("shop", 1, 0))
	n := 5
	if err := w.p.Scale("shop", &n); err == nil || !strings.Contains(err.Error(), "cannot have 5 processes: the pool has at most 4") {
		t.Errorf("got %v", err)
	}
	if err := w.p.Scale("blog", &n); err == nil || err.Error() != `unknown app "blog"` {
		t.Errorf("got %v", err)
	}
}

func TestDetachedProcessIsReplaced(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, settings("shop", 2, 0))
	w.inFlight("p001", 1)
	if !w.p.Detach(w.now, w.p.ProcessOf(w.list["p001"].PID)) || w.p.Detach(w.now, "none") {
		t.Fatal("not the processes there are")
	}
	w.decide()
	w.useTable()
	w.want("shop", "1:draining 1:ready 1:starting")
	w.p.Detach(w.now, "p001") // again
	w.inFlight("p001", 0)
	w.run()
	w.want("shop", "1:ready 1:ready")
}
