package phase

import "testing"

// walk calls f for all pairs of a phase and an event.
func walk(f func(p Phase, e Event, next Phase)) {
	for p := impossible + 1; p < phaseCount; p++ {
		for e := range eventCount {
			f(p, e, phaseAfter[p][e])
		}
	}
}

func TestEveryPhaseHasANameAndIsReached(t *testing.T) {
	t.Parallel()
	reached := map[Phase]bool{Queued: true}
	for range phaseCount {
		walk(func(p Phase, _ Event, next Phase) {
			if reached[p] && next != impossible {
				reached[next] = true
			}
		})
	}
	for p := impossible + 1; p < phaseCount; p++ {
		if Names[p] == "" || !reached[p] {
			t.Errorf("phase %d: name %q, reached %v", p, Names[p], reached[p])
		}
	}
	for e, name := range eventNames {
		possible := false
		walk(func(_ Phase, other Event, next Phase) { possible = possible || other == Event(e) && next != impossible })
		if name == "" || !possible {
			t.Errorf("event %d: name %q, possible %v", e, name, possible)
		}
	}
}

// Nothing is sent twice that may have run: once a byte of an answer came, no event
// leads to a process again.
func TestNoPhaseWithAnAnswerLeadsBack(t *testing.T) {
	t.Parallel()
	walk(func(p Phase, e Event, next Phase) {
		if p >= heard && next != impossible && next < p {
			t.Errorf("%s leads from %s back to %s", eventNames[e], Names[p], Names[next])
		}
	})
}

// An event that is possible moves the phase, another one is told as a bug.
func TestEventsThatCannotComeAreBugs(t *testing.T) {
	t.Parallel()
	walk(func(p Phase, e Event, next Phase) {
		var c Cell
		c.value.Store(uint32(p))
		defer func() {
			if told := recover() != nil; told != (next == impossible) {
				t.Errorf("%s while %s: panicked %v", eventNames[e], Names[p], told)
			}
			want := next
			if want == impossible {
				want = p
			}
			if got := c.Now(); got != want || c.Begun() != (want >= heard) {
				t.Errorf("%s while %s: got %s, begun %v", eventNames[e], Names[p], Names[got], c.Begun())
			}
		}()
		c.On(e)
	})
}
