package proxy

import (
	"fmt"
	"sync/atomic"
)

// A phase is how far a session is.
type phase uint32

const (
	impossible phase = iota // of phaseAfter: the event cannot come
	queued                  // it has no process
	connecting              // it has a process, and no connection to it
	waiting                 // the request goes to the process, or is there
	heard                   // bytes of an answer came, none went to the client
	responding              // the answer goes to the client
	upgraded                // no request follows on the connection
	phaseCount
)

// phaseNames are those of protocol.Request. Those who ask need not know how much
// of an answer's head is there.
var phaseNames = [phaseCount]string{
	queued: "queued", connecting: "connecting", waiting: "waiting", heard: "waiting", responding: "responding", upgraded: "upgraded",
}

// An event moves a session to another phase.
type event uint8

const (
	asks     event = iota // it asks the app for a process, for the first time or again
	connects              // it makes a connection to its process
	sends                 // it begins to send the request
	hears                 // the first byte of an answer comes
	answers               // the answer's head is whole, and the client gets it or a file
	upgrades              // the protocol changes, or the app takes the connection over
	eventCount
)

var eventNames = [eventCount]string{"ask for a process", "connect", "send", "hear", "answer", "upgrade"}

// phaseAfter is the phase that an event leads to. Once a byte of an answer came no
// event leads back: the request may have run, and is not sent again.
var phaseAfter = [phaseCount][eventCount]phase{
	queued: {
		asks:     queued, // no process was free, or none had room for a connection
		connects: connecting,
		sends:    waiting,    // the process has an idle connection
		hears:    impossible, // nothing was sent
		answers:  responding, // with a file, for which no process is asked
		upgrades: impossible,
	},
	connecting: {
		asks:     queued, // the process refused the connection
		connects: impossible,
		sends:    waiting,
		hears:    impossible,
		answers:  impossible,
		upgrades: impossible,
	},
	waiting: {
		asks:     queued,     // the connection ended, and no process can have acted on the request
		connects: connecting, // the same, and the process is there still
		sends:    impossible,
		hears:    heard,
		answers:  impossible,
		upgrades: impossible,
	},
	heard: {
		asks:     impossible,
		connects: impossible,
		sends:    impossible,
		hears:    impossible,
		answers:  responding,
		upgrades: upgraded,
	},
	responding: {
		asks:     impossible,
		connects: impossible,
		sends:    impossible,
		hears:    impossible,
		answers:  impossible,
		upgrades: impossible,
	},
	upgraded: {
		asks:     impossible,
		connects: impossible,
		sends:    impossible,
		hears:    impossible,
		answers:  upgraded, // the app, which took the connection over, answers by itself
		upgrades: upgraded, // the same, with another protocol
	},
}

// A phaseCell is the phase of a session. One goroutine changes it; any may ask.
type phaseCell struct{ now atomic.Uint32 }

// reset begins a session.
func (c *phaseCell) reset() { c.now.Store(uint32(queued)) }

// on notes an event. One that cannot come is a bug of ours.
func (c *phaseCell) on(e event) {
	was := c.get()
	next := phaseAfter[was][e]
	if next == impossible {
		panic(fmt.Sprintf("internal error: a session that is %s cannot %s", phaseNames[was], eventNames[e]))
	}
	c.now.Store(uint32(next))
}

func (c *phaseCell) get() phase { return phase(c.now.Load()) }

// begun says that bytes of an answer came from the process.
func (c *phaseCell) begun() bool { return c.get() >= heard }

// A try is which time it is that a session sends its request.
type try uint8

const (
	firstTry  try = iota
	secondTry     // a process may have acted on the request before
	loneTry       // and may have ended because of it: the next one has no other request
)
