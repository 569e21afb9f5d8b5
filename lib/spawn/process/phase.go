package process

import (
	"fmt"

	"passenger/lib/protocol"
)

// A phase is how far a process has come. The record shows the same in the
// protocol's words, which do not tell a start that may be tried again.
type phase int

const (
	trying   phase = iota // it starts, and its start may be tried again when it has ended
	starting              // it starts; its end is one for good
	ready
	stopping // we asked it to go
	lost     // it has ended, and its start may be tried again
	gone
)

// An event changes the phase of a process.
type event int

const (
	becameReady event = iota
	asked             // to stop
	ended
	decided // the attempt to start it is over
)

// A move is what an event does to a phase. The zero move does nothing: the
// event came too late to matter.
type move struct {
	to    phase
	moves bool

	// never says that a bug of ours would be the reason for the event.
	never bool
}

func to(p phase) move { return move{to: p, moves: true} }

var (
	stays = move{}
	never = move{never: true}
)

// moves are all phases, each with all events. An adopted process and a
// preloader begin at starting or ready.
var moves = [...][4]move{
	//          becameReady  asked         ended     decided
	trying:   {to(ready), to(stopping), to(lost), to(starting)},
	starting: {to(ready), to(stopping), to(gone), stays},
	ready:    {never, to(stopping), to(gone), stays},
	stopping: {stays, stays, to(gone), stays},
	lost:     {stays, stays, never, to(gone)},
	gone:     {stays, stays, never, stays},
}

// shown is the phase in the protocol's words.
func (p phase) shown() protocol.State {
	switch p {
	case ready:
		return protocol.Ready
	case stopping:
		return protocol.Stopping
	case lost, gone:
		return protocol.Exited
	}
	return protocol.Starting
}

// phaseOf is the phase of a process that we adopt. One that an earlier spawner
// asked to go we ask again.
func phaseOf(s protocol.State) phase {
	if s == protocol.Starting {
		return starting
	}
	return ready
}

// over says whether the process has ended.
func (p phase) over() bool { return p == lost || p == gone }

// after returns the phase after the event, and whether that is another one. An
// event that cannot come in this phase is a bug, and changes nothing.
func (p phase) after(e event) (next phase, changed bool, err error) {
	m := moves[p][e]
	if m.never {
		return p, false, fmt.Errorf("internal error: event %d of a process in phase %d", e, p)
	}
	if !m.moves {
		return p, false, nil
	}
	return m.to, true, nil
}

// A fate is why a process ends, as far as that is our doing. The zero fate is
// an end of its own making.
type fate struct {
	by  doer
	why string // in words for the record of its exit
}

// A doer is who ends a process.
type doer int

const (
	itself doer = iota
	stop        // we asked it to go
	kill        // we killed it
	orphan      // we killed it, since its spawner died while it started
)
