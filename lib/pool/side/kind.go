package side

import (
	"fmt"
	"time"

	"passenger/lib/pool/pause"
	"passenger/lib/protocol"
)

// A kind is the side processes of one type.
type kind struct {
	crew      *Crew
	name      string
	processes []*process // in order of start

	failures int                  // starts that failed in a row
	failedAt time.Time            // when the last one did
	until    time.Time            // no start before
	err      *protocol.SpawnError // of the last one, nil once one succeeded

	strikes  int // deaths in a row, soon after they were ready
	struckAt time.Time

	tried    int                  // the generation that trialErr is of
	trialErr *protocol.SpawnError // why the one on trial is no good, nil if nothing says so
}

// parts are the processes of a kind by what is to become of them.
type parts struct {
	present []*process // of the generation that is to be
	former  []*process // of one before
	trial   []*process // of the one on trial
	leaving int
}

func (k *kind) parts(aim Aim) parts {
	var s parts
	for _, p := range k.processes {
		switch g := p.record.Generation; {
		case p.why != "":
			s.leaving++
		case g == k.crew.settled:
			s.present = append(s.present, p)
		case aim.Trial != nil && g == aim.Trial.Generation:
			s.trial = append(s.trial, p)
		default:
			s.former = append(s.former, p)
		}
	}
	return s
}

func ready(processes []*process) (n int) {
	for _, p := range processes {
		if p.ready {
			n++
		}
	}
	return n
}

// step moves the kind towards the aim.
func (k *kind) step(now time.Time, aim Aim, o *Orders) {
	spec, ok := aim.Config.Processes[k.name]
	want := 0
	if ok {
		want = *spec.Count
	}
	if k.crew.settled != 0 {
		k.ease(now, o)
		k.wear(aim, spec)
		k.retire(k.parts(aim), want, spec)
		k.fill(now, aim, want, spec, o)
	}
	k.try(now, aim, o)
	k.stop(now, o)
}

// retire has processes go that are too many: those of another generation as far
// as new ones take their place.
func (k *kind) retire(s parts, want int, spec protocol.SideProcess) {
	keep := max(want-ready(s.present), 0)
	if spec.Exclusive || k.crew.alone {
		keep = 0
	}
	for i := len(s.former) - 1; i >= 0; i-- {
		p := s.former[i]
		if p.ready && p.record.Generation < k.crew.settled && keep > 0 {
			keep--
			continue
		}
		p.leave("replaced by a newer generation")
	}
	for i := len(s.present) - 1; i >= want; i-- {
		s.present[i].leave("there are to be fewer")
	}
}

// fill starts the processes that are missing: one after the other where each is to
// take the place of an old one.
func (k *kind) fill(now time.Time, aim Aim, want int, spec protocol.SideProcess, o *Orders) {
	s := k.parts(aim)
	missing := want - len(s.present)
	switch {
	case missing <= 0:
		return
	case (spec.Exclusive || k.crew.alone) && len(s.former)+s.leaving > 0:
		return
	case len(s.former) > 0 && len(s.present) > ready(s.present):
		return
	case len(s.former) > 0:
		missing = 1
	}
	if now.Before(k.until) {
		o.wake(k.until)
		return
	}
	for ; missing > 0 && aim.Room(); missing-- {
		k.start(now, aim.Config, k.crew.settled, o)
	}
}

// try starts a process of the generation on trial if the type is required.
func (k *kind) try(now time.Time, aim Aim, o *Orders) {
	if !aim.Trial.needs(k.name) {
		return
	}
	if g := aim.Trial.Generation; k.tried != g {
		k.tried, k.trialErr = g, nil
	}
	switch {
	case len(k.parts(aim).trial) > 0 || k.trialErr != nil:
	case now.Before(k.until) && k.failures == 0:
		o.wake(k.until) // a start was lost that was no fault of the app's
	case aim.Room():
		k.start(now, aim.Trial.Config, aim.Trial.Generation, o)
	}
}

// needs says that the type is required of the generation on trial.
func (t *Trial) needs(name string) bool {
	if t == nil {
		return false
	}
	spec, ok := t.Config.Processes[name]
	return ok && spec.Required && *spec.Count > 0
}

func (k *kind) start(now time.Time, config protocol.AppConfig, generation int, o *Orders) {
	r := protocol.SpawnRequest{ID: k.crew.chance.ID(), App: k.crew.app, Generation: generation, ProcessType: k.name, Config: &config}
	k.processes = append(k.processes, &process{
		record: protocol.Process{
			ID: r.ID, App: r.App, Generation: r.Generation, ProcessType: k.name, State: protocol.Starting, StartedAt: now,
		},
		began: now, spawning: true,
	})
	o.Start = append(o.Start, r)
}

// wear has a process go that takes too much memory, one after the other.
func (k *kind) wear(aim Aim, spec protocol.SideProcess) {
	limit := int64(spec.MemoryLimit) << 20
	if limit <= 0 {
		return
	}
	s := k.parts(aim)
	if s.leaving > 0 || len(s.present) > ready(s.present) {
		return
	}
	for _, p := range s.present {
		if memory := aim.Memory(p.record.ID); memory > limit {
			p.leave(fmt.Sprintf("it takes %d MB; memory_limit is %d", memory>>20, spec.MemoryLimit))
			return
		}
	}
}

// stop asks for the stop of those that are to go.
func (k *kind) stop(now time.Time, o *Orders) {
	for _, p := range k.processes {
		switch {
		case p.why == "" || p.stopping:
		case now.Before(p.stopAgain):
			o.wake(p.stopAgain)
		default:
			p.stopping = true
			o.Stop = append(o.Stop, Stop{p.record.ID, p.why})
		}
	}
}

// ease forgets early deaths once processes live again.
func (k *kind) ease(now time.Time, o *Orders) {
	if k.strikes == 0 || ready(k.processes) == 0 {
		return
	}
	eased := k.struckAt
	if k.until.After(eased) {
		eased = k.until
	}
	if eased = eased.Add(pause.Held); now.Before(eased) {
		o.wake(eased)
		return
	}
	k.strikes, k.failures, k.err = 0, 0, nil
}
