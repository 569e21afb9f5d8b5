package proxy

import "testing"

// walk calls f for all pairs of a phase and an event.
func walk(f func(p phase, e event, next phase)) {
	for p := impossible + 1; p < phaseCount; p++ {
		for e := range eventCount {
			f(p, e, phaseAfter[p][e])
		}
	}
}

func TestEveryPhaseHasANameAndIsReached(t *testing.T) {
	t.Parallel()
	reached := map[phase]bool{queued: true}
	for range phaseCount {
		walk(func(p phase, _ event, next phase) {
			if reached[p] && next != impossible {
				reached[next] = true
			}
		})
	}
	for p := impossible + 1; p < phaseCount; p++ {
		if phaseNames[p] == "" || !reached[p] {
			t.Errorf("phase %d: name %q, reached %v", p, phaseNames[p], reached[p])
		}
	}
	for e, name := range eventNames {
		possible := false
		walk(func(_ phase, other event, next phase) { possible = possible || other == event(e) && next != impossible })
		if name == "" || !possible {
			t.Errorf("event %d: name %q, possible %v", e, name, possible)
		}
	}
}

// Nothing is sent twice that may have run: once a byte of an answer came, no event
// leads to a process again.
func TestNoPhaseWithAnAnswerLeadsBack(t *testing.T) {
	t.Parallel()
	walk(func(p phase, e event, next phase) {
		if p >= heard && next != impossible && next < p {
			t.Errorf("%s leads from %s back to %s", eventNames[e], phaseNames[p], phaseNames[next])
		}
	})
}

// An event that is possible moves the phase, another one is told as a bug.
func TestEventsThatCannotComeAreBugs(t *testing.T) {
	t.Parallel()
	walk(func(p phase, e event, next phase) {
		var c phaseCell
		c.now.Store(uint32(p))
		defer func() {
			if told := recover() != nil; told != (next == impossible) {
				t.Errorf("%s while %s: panicked %v", eventNames[e], phaseNames[p], told)
			}
			want := next
			if want == impossible {
				want = p
			}
			if got := c.get(); got != want || c.begun() != (want >= heard) {
				t.Errorf("%s while %s: got %s, begun %v", eventNames[e], phaseNames[p], phaseNames[got], c.begun())
			}
		}()
		c.on(e)
	})
}
