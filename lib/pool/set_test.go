package pool

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// A set is machines that share a load, and a controller that starts and stops them
// as Kubernetes' HPA does: by the sum of what they need, with its tolerance of a
// tenth, and down to the most of the last minute.
type set struct {
	t        *testing.T
	each     int // processes of a machine, one request at once each
	machines []*world
	rand     *rand.Rand
	advice   []int // of the last minute, each five seconds
	turns    int   // from more to fewer, or back
	rising   bool
}

// pass lets a second pass under so many requests at once, more or less.
func (s *set) pass(load float64) (needs float64) {
	for _, w := range s.machines {
		w.now = w.now.Add(time.Second)
		n, share := 0, load/float64(len(s.machines))
		for range 50 {
			if s.rand.Float64() < share/50 {
				n++
			}
		}
		busy := min(n, s.each)
		w.load("shop", busy, n-busy, 0.1)
		a, _ := w.p.App(w.now, "shop")
		needs += a.Needs
	}
	return needs
}

// control is what the controller does every five seconds.
func (s *set) control(needs float64) {
	has := len(s.machines)
	advised := has
	if ratio := needs / float64(s.each*has); math.Abs(ratio-1) > 0.1 {
		advised = max(1, int(math.Ceil(needs/float64(s.each))))
	}
	s.advice = append(s.advice, advised)
	s.advice = s.advice[max(0, len(s.advice)-12):]
	for _, before := range s.advice {
		if advised < has {
			advised = min(has, max(advised, before))
		}
	}
	if advised != has {
		if s.turns == 0 || s.rising != (advised > has) {
			s.turns++
		}
		s.rising = advised > has
	}
	for len(s.machines) < advised {
		s.machines = append(s.machines, serving(s.t, Limits{Processes: s.each, Starting: s.each}, settings("shop", s.each, 0)))
	}
	s.machines = s.machines[:advised]
}

// A set of machines follows a step of the load within a minute, and comes to rest:
// what is started for the load does not change what is started.
func TestSetOfMachinesFollowsTheLoad(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		each, first   int
		before, after float64
		want          int // machines, for the load after
	}{
		{each: 2, first: 3, before: 3, after: 12, want: 8},
		{each: 1, first: 4, before: 3, after: 12, want: 16},
		{each: 2, first: 8, before: 12, after: 3, want: 2},
		{each: 1, first: 16, before: 12, after: 3, want: 4},
		{each: 4, first: 3, before: 1, after: 9, want: 3},
		{each: 1, first: 4, before: 3, after: 3, want: 4},
	} {
		s := &set{t: t, each: c.each, rand: rand.New(rand.NewPCG(1, 2))}
		for range c.first {
			s.machines = append(s.machines, serving(t, Limits{Processes: c.each, Starting: c.each}, settings("shop", c.each, 0)))
		}
		for second := range 90 {
			if needs := s.pass(c.before); second >= 60 && second%5 == 0 {
				s.control(needs)
			}
		}
		s.turns = 0
		for second := range 360 {
			needs := s.pass(c.after)
			if second%5 == 0 {
				s.control(needs)
			}
			if second == 60 && float64(len(s.machines)*c.each) < c.after {
				t.Errorf("%+v: after a minute there are %d machines", c, len(s.machines))
			}
		}
		if n := len(s.machines); n < c.want || n > c.want+max(1, c.want/4) || s.turns > 2 {
			t.Errorf("%+v: got %d machines after %d turns, want %d and at most a turn up and one down", c, n, s.turns, c.want)
		}
	}
}
