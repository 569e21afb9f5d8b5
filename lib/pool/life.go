package pool

import (
	"strings"

	"passenger/lib/protocol"
)

// A state is where a process is in its life, from the decision to start it until
// it is gone.
type state int

const (
	stateSpawning   state = iota // asked for; the spawner's answer is to come
	stateLoading                 // starts, as the list of the spawner tells, and no answer is to come
	stateChecking                // accepts; its health check is under way
	stateReady                   // serves
	stateResting                 // gets no request, and works out of band once it has none
	stateWorking                 // works out of band
	stateKept                    // gets no request; a restart that turns out bad goes back to it
	stateDraining                // gets no request, and is to be stopped once it has none
	stateCancelled               // is not wanted any more; the spawner's answer is to come
	stateCancelling              // the same, and its stop is under way
	stateEnded                   // ended before the spawner's answer, which says why
	stateLeaving                 // is to be stopped
	stateStopping                // its stop is under way
	stateGone                    // off the books

	states int = iota - 1 // how many there are before it is gone
)

// Cells of the table that lead to no state.
const (
	stay  = -1 - state(iota) // the event comes late, or changes nothing
	never                    // the event cannot be: a bug of ours, which is logged
)

// An event is what happens to a process, or is decided for it.
type event int

const (
	eventAnswered event = iota // the spawner answers: it started
	eventFailed                // the spawner answers that it did not start, or gives no answer
	eventAccepts               // it accepts, and is to be checked
	eventServes                // it is ready
	eventRefused               // its check failed
	eventStops                 // another stops it, as the list tells
	eventExits                 // the list tells its exit
	eventVanishes              // the list does not have it any more
	eventDrain                 // it is to go
	eventKeep                  // it is to make way, and to be kept
	eventRelease               // it need not be kept any more
	eventRestore               // it is to serve again
	eventRest                  // it is to work out of band
	eventWork                  // it is told to work
	eventWorked                // its work is done
	eventUnused                // it has no request any more, or had its time
	eventExpel                 // it is to go at once
	eventStop                  // its stop is asked for
	eventStayed                // its stop came to nothing
	eventStopped               // its stop is done

	events int = iota
)

// lives says into which state each event puts a process in each state: "." is
// stay and "!" never.
var lives, stateNames, eventNames = readLives(`
	           spawning   loading    checking   ready      resting    working    kept       draining   cancelled  cancelling ended      leaving    stopping
	answered   loading    !          .          .          .          .          .          .          leaving    stopping   gone       .          .
	failed     gone       !          .          .          .          .          .          .          gone       gone       gone       .          .
	accepts    checking   checking   .          .          .          .          .          .          .          .          .          .          .
	serves     ready      ready      ready      .          .          .          .          .          .          .          .          .          .
	refused    !          !          leaving    .          .          .          .          .          .          .          .          .          .
	stops      cancelled  leaving    leaving    leaving    leaving    leaving    leaving    leaving    .          .          .          .          .
	exits      ended      gone       gone       gone       gone       gone       gone       gone       gone       gone       .          gone       gone
	vanishes   .          gone       gone       gone       gone       gone       gone       gone       .          .          .          gone       gone
	drain      cancelled  leaving    leaving    draining   draining   draining   draining   .          .          .          cancelled  .          .
	keep       !          !          !          kept       !          !          !          !          !          !          !          !          !
	release    .          .          .          .          .          .          draining   .          .          .          .          .          .
	restore    !          !          !          !          !          !          ready      !          !          !          !          !          !
	rest       !          !          !          resting    !          !          !          !          !          !          !          !          !
	work       !          !          !          !          working    !          !          !          !          !          !          !          !
	worked     !          !          !          .          .          ready      .          .          .          .          !          .          .
	unused     !          !          !          !          !          !          !          leaving    !          !          !          !          !
	expel      !          !          !          leaving    leaving    leaving    leaving    leaving    !          !          !          !          !
	stop       !          !          !          !          !          !          !          !          cancelling !          !          stopping   !
	stayed     !          !          !          !          !          !          !          !          !          cancelled  !          !          leaving
	stopped    !          !          !          !          !          !          !          !          !          cancelled  !          !          gone
`)

func readLives(text string) (table [events][states]state, stateNames, eventNames []string) {
	lines := strings.Split(strings.Trim(text, "\n"), "\n")
	stateNames = append(strings.Fields(lines[0]), "gone")
	states := map[string]state{".": stay, "!": never}
	for i, name := range stateNames {
		states[name] = state(i)
	}
	for e, line := range lines[1:] {
		words := strings.Fields(line)
		eventNames = append(eventNames, words[0])
		for from, to := range words[1:] {
			table[e][from] = states[to]
		}
	}
	return table, stateNames, eventNames
}

func (s state) String() string { return stateNames[s] }

// phase is the state as others are told of it.
func (s state) phase() protocol.State {
	switch s {
	case stateSpawning, stateLoading, stateChecking, stateEnded:
		return protocol.Starting
	case stateReady:
		return protocol.Ready
	case stateResting, stateWorking, stateKept, stateDraining:
		return protocol.Draining
	}
	return protocol.Stopping
}

// awaits says that the spawner's answer is to come, which tells more than a
// list.
func (s state) awaits() bool { return lives[eventVanishes][s] == stay }

// outOfBand says that the process is back in a moment.
func (s state) outOfBand() bool { return s == stateResting || s == stateWorking }

// leaves says that the process is out of service in order to be stopped.
func (s state) leaves() bool {
	return s.phase() == protocol.Stopping || s == stateDraining
}

func (e event) String() string { return eventNames[e] }
