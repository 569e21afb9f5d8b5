package pool

import (
	"testing"

	"passenger/lib/protocol"
)

func TestRestartStartsAsManyAsFitIntoMemory(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		free int64
		want string
	}{
		{"unknown", 0, "1:ready 1:ready 2:starting 2:starting"},
		{"for both", 200, "1:ready 1:ready 2:starting 2:starting"},
		{"for one", 199, "1:ready 1:ready 2:starting"},
		{"for none", 99, "1:stopping 1:ready"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := settings("shop", 2, 0)
			w := serving(t, roomy, c)
			w.p.Measured(Host{Host: protocol.Host{MemoryFree: tt.free}, Processes: map[string]int64{"p001": 100, "p002": 90}})
			w.restart(c, false)
			w.want("shop", tt.want)
		})
	}
}

func TestDemandStartsNothingThatDoesNotFit(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, settings("shop", 1, 0))
	w.p.Measured(Host{Host: protocol.Host{MemoryFree: 50}, Processes: map[string]int64{"p001": 100}})
	w.queue("shop", 3)
	w.want("shop", "1:ready")
	w.die("p001") // what has no process at all is started anyway
	w.want("shop", "1:starting")
}

// Memory is measured every half a minute, and all processes may be newer.
func TestProcessesThatAreNewTakeWhatThoseBeforeTook(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, settings("shop", 1, 0))
	host := protocol.Host{MemoryFree: 50}
	w.p.Measured(Host{Host: host, Processes: map[string]int64{"p001": 100}})
	w.die("p001")
	w.ready()
	w.p.Measured(Host{Host: host, Processes: map[string]int64{"p002": 0}})
	w.queue("shop", 3)
	w.want("shop", "1:ready")
}

func TestWhatMemoryWithholdsIsTold(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, settings("shop", 1, 0))
	withheld := func() string { a, _ := w.p.App(w.now, "shop"); return a.Withheld }
	for _, tt := range []struct {
		host protocol.Host
		want string
	}{
		{protocol.Host{MemoryFree: 50 << 20, MemoryBound: "/sys/fs/cgroup/apps", MemoryMax: 400 << 20}, "it needs 100 MB, and /sys/fs/cgroup/apps has 50 MB left of its limit of 400 MB"},
		{protocol.Host{MemoryFree: 60 << 20, MemoryBound: protocol.WholeMachine, MemoryMax: 9 << 30}, "it needs 100 MB, and the machine has 60 MB left"},
		{protocol.Host{MemoryFree: 9 << 30, MemoryPressure: 44.4}, "everything waited for memory 44 % of the last 10 s"},
	} {
		w.p.Measured(Host{Host: tt.host, Processes: map[string]int64{"p001": 100 << 20}})
		w.report.Apps["shop"] = protocol.AppReport{Queued: 3, OldestWait: strainWait / 2.0}
		w.reports()
		w.want("shop", "1:ready")
		if got := withheld(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
	w.report.Apps["shop"] = protocol.AppReport{}
	w.reports()
	w.pass(withheldShown + 1)
	if got := withheld(); got != "" {
		t.Errorf("when nothing waits any more: got %q", got)
	}
	if h := w.p.Apps(w.now).Host; h.MemoryPressure != 44.4 {
		t.Errorf("the list: got %+v", h)
	}
}
