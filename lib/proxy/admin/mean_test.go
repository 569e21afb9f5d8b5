package admin

import (
	"testing"
	"time"

	"passenger/lib/proxy/balance"
)

// What HAProxy hears follows the share of free places in half a minute, and no
// single look at it: a balancer would flood whoever has just nothing to do.
func TestAgentTellsTheMean(t *testing.T) {
	t.Parallel()
	var m mean
	now := time.Date(2026, 11, 30, 16, 0, 0, 0, time.UTC)
	for _, step := range []struct {
		seconds     int // of looks, one a second
		free        []int
		least, most int // of the last looks
	}{
		{1, []int{4}, 100, 100}, // at first there is nothing else
		{60, []int{4, 0, 1, 3}, 38, 62},
		{3, []int{0}, 25, 50},
		{60, []int{0}, 1, 1},
		{3, []int{4}, 40, 50},
		{60, []int{4}, 100, 100},
	} {
		for i := range step.seconds {
			now = now.Add(time.Second)
			s := Standing{Routed: true, Apps: []balance.Standing{{App: "shop", Slots: 4, Free: step.free[i%len(step.free)]}}}
			got := percent(m.with(s.share(), now))
			if i >= step.seconds-len(step.free) && (got < step.least || got > step.most) {
				t.Errorf("%v free after %d s: got %d %%, want %d to %d", step.free, i+1, got, step.least, step.most)
			}
		}
	}
}
