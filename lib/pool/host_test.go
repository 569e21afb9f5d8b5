package pool

import "testing"

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
			w.p.Measured(Host{MemoryFree: tt.free, Processes: map[string]int64{"p001": 100, "p002": 90}})
			w.restart(c, false)
			w.want("shop", tt.want)
		})
	}
}

func TestDemandStartsNothingThatDoesNotFit(t *testing.T) {
	t.Parallel()
	w := serving(t, roomy, settings("shop", 1, 0))
	w.p.Measured(Host{MemoryFree: 50, Processes: map[string]int64{"p001": 100}})
	w.queue("shop", 3)
	w.want("shop", "1:ready")
	w.die("p001") // what has no process at all is started anyway
	w.want("shop", "1:starting")
}
