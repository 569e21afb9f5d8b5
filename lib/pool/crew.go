package pool

import (
	"time"

	"passenger/lib/pool/side"
	"passenger/lib/protocol"
)

// newCrew is the side processes of a new app.
func (p *Pool) newCrew(name string) *side.Crew {
	return side.New(name, side.Chance{ID: p.chance.ID, Jitter: p.chance.Jitter})
}

// staff has the side processes of each app start and go.
func (p *Pool) staff(now time.Time, d *Decision) {
	if !p.spawner.up || !p.spawner.heard {
		return
	}
	for _, a := range p.sorted() {
		switch {
		case a.restart == nil && a.crew.Idle(&a.running):
		case a.removed:
			a.carry(a.crew.Dismiss(now), now, d)
		case !a.held:
			a.carry(a.crew.Step(now, a.aim(now, d)), now, d)
		}
	}
}

func (a *app) carry(o side.Orders, now time.Time, d *Decision) {
	d.Start = append(d.Start, o.Start...)
	for _, s := range o.Stop {
		d.Stop = append(d.Stop, Stop{s.ID, protocol.StopRequest{Reason: s.Reason}})
	}
	for _, e := range o.Events {
		a.emit(now, e)
	}
	if !o.Wake.IsZero() {
		d.wake(o.Wake)
	}
}

// aim is what the app's side processes are to come to. They follow a new
// generation once it is accepted; until then those of the one before work on, and
// go on to where the new one is taken back.
func (a *app) aim(now time.Time, d *Decision) side.Aim {
	aim := side.Aim{Config: a.running, Generation: a.generation}
	aim.Room = func() bool { return a.pool.loading(now, d) < a.pool.limits.Starting }
	aim.Memory = func(id string) int64 { return a.pool.host.Processes[id] }
	former := a.crew.Generation()
	switch r := a.restart; {
	case a.always && former != 0:
		aim.Generation = former // each process that serves has a generation of its own
	case r == nil || r.undoing:
	case r.accepted:
		aim.Alone = r.blocking()
	default:
		aim.Config, aim.Generation = r.before, former
		if r.proven {
			aim.Trial = &side.Trial{Config: a.running, Generation: a.generation}
		}
	}
	return aim
}

// A muster is how the side processes of a generation on trial stand that are
// required.
type muster int

const (
	complete muster = iota // there are none, or they are ready
	awaited
	broken
)

func (r *restart) muster() muster {
	if r.accepted {
		return complete
	}
	switch done, err := r.app.crew.Tried(side.Trial{Config: r.app.running, Generation: r.app.generation}); {
	case err != nil:
		return broken
	case done:
		return complete
	}
	return awaited
}

// crewOf is the side processes that one in the spawner's list is of, nil if it is
// none. An older spawner does not say so of one that it was asked for.
func (p *Pool) crewOf(r protocol.Process) *side.Crew {
	a := p.apps[r.App]
	switch {
	case a != nil && (r.ProcessType != "" || a.crew.Has(r.ID)):
		return a.crew
	case r.ProcessType != "" && r.State != protocol.Exited:
		return p.stray(r.App).crew
	}
	return nil
}

// stray is an app that is not known, and of which a process runs.
func (p *Pool) stray(name string) *app {
	a := p.unknown(name)
	if p.spawner.heard && !p.spawner.held {
		a.held, a.removed = false, true
	}
	return a
}
