package pool

import "testing"

func TestAlwaysRestartServesEachBurstWithNewProcesses(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, settings("shop", 1, 0))
	w.p.AlwaysRestart("shop", true)
	w.pass(alwaysWait)
	w.run()
	w.want("shop", "") // what loaded before goes, and none is kept
	w.queue("shop", 1)
	delete(w.report.Apps, "shop")
	id := w.ready()
	w.inFlight(id, 1)
	w.pass(2 * alwaysWait)
	w.want("shop", "2:ready") // it may finish, and its generation is its own
	w.served(id, 1, 0)
	w.want("shop", "2:stopping")
	w.run()
	w.p.AlwaysRestart("shop", false)
	w.decide()
	w.want("shop", "2:starting")
}
