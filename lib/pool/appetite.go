package pool

import (
	"fmt"
	"math"
	"strings"
	"time"

	"passenger/lib/protocol"
)

// How many processes an app wants is for those who start machines. It goes by the
// requests at once, that processes have and that wait, which do not depend on how
// many processes there are: so that what is started for them does not change what
// is wanted.
const (
	// loadSettles is how fast the mean follows the load: two thirds of a step
	// within this time.
	loadSettles = 15 * time.Second

	// fullness is which part of its places an app uses on average when it has what it
	// wants.
	fullness = 0.75

	// appetiteLasts is how long an app goes on to want what it wanted.
	appetiteLasts = time.Minute

	// greed is how many times what it has an app wants at most.
	greed = 2
)

// An appetite is what an app wants, as it was last measured. The zero appetite is
// that of a new app.
type appetite struct {
	load float64 // mean of requests at once
	at   time.Time
	held int // the most that was wanted lately
	when time.Time
}

// hunger measures the load of the app anew.
func (a *app) hunger(now time.Time) {
	h := &a.appetite
	load := float64(a.demand.queued)
	for _, q := range a.processes {
		load += float64(q.traffic.inFlight)
	}
	if !h.at.IsZero() {
		h.load += (load - h.load) * (1 - math.Exp(-float64(now.Sub(h.at))/float64(loadSettles)))
	}
	if k := a.concurrency(); k > 0 {
		// No more than it may want for, so that a long queue is forgotten once it is gone.
		h.load = min(h.load, float64(k)*fullness*greed*float64(max(a.census().lasting(), 1)))
	}
	h.at = now
	if _, n := a.wants(); n >= h.held || now.Sub(h.when) >= appetiteLasts {
		h.held, h.when = n, now
	}
}

// wants is how many processes the app would have for its load, were there room;
// needs is what the load is worth: neither rounded, nor held, nor at least what the
// app is to have. So needs can be summed over machines: the sum of what they want has
// the rounding and the minimum of each in it, and what the old ones held while the
// load moved to new ones, and grows with their number.
func (a *app) wants() (needs float64, n int) {
	c := a.census()
	if k := a.concurrency(); k > 0 {
		needs = a.appetite.load / (float64(k) * fullness)
	} else {
		needs = float64(c.lasting() + a.demanded(c))
	}
	return needs, max(int(math.Ceil(needs-1e-9)), a.least())
}

// lasting is how many processes the app has, or is to have: of a restart those of
// one generation.
func (c census) lasting() int { return min(c.serving(), max(c.ready, c.old)) + c.starting }

// wantedView tells what the app wants, and why in a sentence.
func (a *app) wantedView(now time.Time, v *protocol.App) {
	c := a.census()
	has := c.serving() + c.starting
	needs, n := a.wants()
	if now.Sub(a.appetite.when) < appetiteLasts {
		n = max(n, a.appetite.held)
	}
	why := []string{fmt.Sprintf("%.1f requests at once on average", a.appetite.load)}
	if a.demand.queued > 0 {
		why = append(why, fmt.Sprintf("%d wait, the oldest for %.0f ms", a.demand.queued, a.demand.waited*1000))
	}
	if n > has {
		places := min(a.most()-len(a.processes), a.pool.limits.Processes-len(a.pool.processes))
		why = append(why, roomFor(a.pool.host.MemoryFree, a.footprint(), places))
	}
	v.Needs, v.Wanted = math.Round(needs*100)/100, n
	v.WantedReason = fmt.Sprintf("wants %d, has %d: %s", n, has, strings.Join(why, ", "))
}

// roomFor says how many of places more processes of so many bytes there could be,
// and what bounds them.
func roomFor(free, need int64, places int) string {
	if places = max(places, 0); need > 0 && free > 0 && int(free/need) < places {
		return fmt.Sprintf("memory for %d more", free/need)
	}
	return fmt.Sprintf("room for %d more", places)
}
