package pool

import (
	"testing"

	"passenger/lib/protocol"
)

// ask has the proxy report how many responses of a process asked for time.
func (w *world) ask(id string, asked uint64, inFlight int) {
	w.report.Processes[id] = protocol.ProcessReport{Processed: asked, WorkAsked: asked, InFlight: inFlight}
	w.reports()
}

func TestProcessWorksOutOfBandInTurn(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, settings("shop", 2, 0))
	w.ask("p001", 1, 1)
	w.ask("p002", 1, 0)
	w.want("shop", "1:draining 1:ready") // and no third is started meanwhile
	w.wantRoute("shop", "p001(draining) p002")
	if len(w.works) > 0 {
		t.Fatalf("%v work while a request is there", w.works)
	}
	w.ask("p001", 1, 0)
	if len(w.works) != 1 || w.works[0] != "p001" {
		t.Fatalf("%v work, want p001", w.works)
	}
	w.p.Worked(w.now, "p001")
	w.decide()
	w.useTable()
	w.want("shop", "1:ready 1:draining") // now the other one
	w.p.Worked(w.now, "p002")
	w.decide()
	w.useTable()
	w.wantRoute("shop", "p001 p002")
	w.want("shop", "1:ready 1:ready")
}

func TestTheOnlyProcessDoesNotRest(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, settings("shop", 1, 0))
	w.ask("p001", 1, 0)
	w.wantRoute("shop", "p001")
}

func TestRestartDuringWork(t *testing.T) {
	t.Parallel()
	c := settings("shop", 2, 0)
	w := serving(t, roomy, c)
	w.ask("p001", 1, 0)
	w.restart(c, false)
	w.p.Worked(w.now, "p001")
	w.run()
	w.want("shop", "2:ready 2:ready")
	w.wantOutcome("shop 2")
}

func TestAppIsRemovedDuringWork(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, settings("shop", 2, 0))
	w.ask("p001", 1, 0)
	w.p.Remove(w.now, "shop")
	w.decide()
	w.useTable()
	w.run()
	w.want("shop", "none")
}
