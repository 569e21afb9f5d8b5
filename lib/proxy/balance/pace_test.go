package balance

import (
	"testing"
	"time"
)

// Of an app nothing is known before 100 sessions; then a hundred quick ones pay for
// each slowAfter of a slow one, in advance for ten at most.
func TestPaceIsThatOfTheSlowestInAHundred(t *testing.T) {
	t.Parallel()
	quick, slow := slowAfter-time.Microsecond, slowAfter
	type some struct {
		n    int
		took time.Duration // 0: nothing for a while
	}
	for _, c := range []struct {
		name     string
		sessions []some
		want     bool
	}{
		{"none", nil, false},
		{"too few", []some{{99, quick}}, false},
		{"enough", []some{{100, quick}}, true},
		{"enough, and one is slow", []some{{100, quick}, {1, slow}}, false},
		{"one was slow", []some{{100, quick}, {1, slow}, {100, quick}}, true},
		{"the first was slow", []some{{1, slow}, {199, quick}}, false},
		{"the first was slow, long ago", []some{{1, slow}, {200, quick}}, true},
		{"ten are slow after many", []some{{100_000, quick}, {10, slow}}, true},
		{"eleven are", []some{{100_000, quick}, {11, slow}}, false},
		{"one lasted", []some{{100_000, quick}, {1, 5 * time.Second}, {248_999, quick}}, false},
		{"one lasted, long ago", []some{{100_000, quick}, {1, 5 * time.Second}, {249_000, quick}}, true},
		{"all are slow", []some{{1000, slow}, {100, quick}}, false},
		{"nothing for a while", []some{{1000, quick}, {1, 0}}, false},
		{"too few after a while", []some{{1000, quick}, {1, 0}, {99, quick}}, false},
		{"enough after a while", []some{{1000, quick}, {1, 0}, {100, quick}}, true},
		{"a while pays for nothing", []some{{100, quick}, {2, slow}, {1, 0}, {199, quick}}, false},
	} {
		var p pace
		for _, s := range c.sessions {
			for range s.n {
				if s.took == 0 {
					p.forget()
				} else {
					p.ended(s.took, slowAfter)
				}
			}
		}
		if got := p.quick(); got != c.want {
			t.Errorf("%s: quick %v, want %v", c.name, got, c.want)
		}
	}
}
