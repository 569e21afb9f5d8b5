package pool

import (
	"testing"

	"passenger/lib/protocol"
)

func TestSizeGoesByTheQuota(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		automatic bool
		cpus      float64
		least     int
		want      int
		reason    string
	}{
		{true, 0, 1, 6, ""},
		{true, 0.5, 1, 2, "for the 0.5 processors that a cgroup allows"},
		{true, 1, 1, 3, "for the 1 processors that a cgroup allows"},
		{true, 1.2, 1, 4, "for the 1.2 processors that a cgroup allows"},
		{true, 8, 1, 17, "for the 8 processors that a cgroup allows"},
		{true, 1, 5, 5, "for the 1 processors that a cgroup allows"}, // they are to be there
		{true, 1, 9, 6, "for the 1 processors that a cgroup allows"},
		{false, 1, 1, 6, ""},
	} {
		w := newWorld(t, Limits{Processes: DefaultSize, Starting: 9, Automatic: c.automatic})
		w.p.Put(w.now, settings("shop", c.least, 0))
		w.p.Measured(Host{Host: protocol.Host{CPUs: c.cpus}})
		if list := w.p.Apps(w.now); list.MaxPoolSize != c.want || list.MaxPoolSizeReason != c.reason {
			t.Errorf("%+v: got %d, %q", c, list.MaxPoolSize, list.MaxPoolSizeReason)
		}
	}
}
