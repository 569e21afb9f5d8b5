// Package phase says how far a request is with its process, by a table of phases
// and events.
package phase

import (
	"fmt"
	"sync/atomic"
)

// A Phase is how far a session is.
type Phase uint32

const (
	impossible Phase = iota // of phaseAfter: the event cannot come
	Queued                  // it has no process
	connecting              // it has a process, and no connection to it
	waiting                 // the request goes to the process, or is there
	heard                   // bytes of an answer came, none went to the client
	responding              // the answer goes to the client
	upgraded                // no request follows on the connection
	phaseCount
)

// Names are those of protocol.Request. Those who ask need not know how much
// of an answer's head is there.
var Names = [phaseCount]string{
	Queued: "queued", connecting: "connecting", waiting: "waiting", heard: "waiting", responding: "responding", upgraded: "upgraded",
}

// An Event moves a session to another phase.
type Event uint8

const (
	Asks     Event = iota // it asks the app for a process, for the first time or again
	Connects              // it makes a connection to its process
	Sends                 // it begins to send the request
	Hears                 // the first byte of an answer comes
	Answers               // the answer's head is whole, and the client gets it or a file
	Upgrades              // the protocol changes, or the app takes the connection over
	eventCount
)

var eventNames = [eventCount]string{"ask for a process", "connect", "send", "hear", "answer", "upgrade"}

// phaseAfter is the phase that an event leads to. Once a byte of an answer came no
// event leads back: the request may have run, and is not sent again.
var phaseAfter = [phaseCount][eventCount]Phase{
	Queued: {
		Asks:     Queued, // no process was free, or none had room for a connection
		Connects: connecting,
		Sends:    waiting,    // the process has an idle connection
		Hears:    impossible, // nothing was sent
		Answers:  responding, // with a file, for which no process is asked
		Upgrades: impossible,
	},
	connecting: {
		Asks:     Queued, // the process refused the connection
		Connects: impossible,
		Sends:    waiting,
		Hears:    impossible,
		Answers:  impossible,
		Upgrades: impossible,
	},
	waiting: {
		Asks:     Queued,     // the connection ended, and no process can have acted on the request
		Connects: connecting, // the same, and the process is there still
		Sends:    impossible,
		Hears:    heard,
		Answers:  impossible,
		Upgrades: impossible,
	},
	heard: {
		Asks:     impossible,
		Connects: impossible,
		Sends:    impossible,
		Hears:    impossible,
		Answers:  responding,
		Upgrades: upgraded,
	},
	responding: {
		Asks:     impossible,
		Connects: impossible,
		Sends:    impossible,
		Hears:    impossible,
		Answers:  impossible,
		Upgrades: impossible,
	},
	upgraded: {
		Asks:     impossible,
		Connects: impossible,
		Sends:    impossible,
		Hears:    impossible,
		Answers:  upgraded, // the app, which took the connection over, answers by itself
		Upgrades: upgraded, // the same, with another protocol
	},
}

// A Cell is the phase of a session. One goroutine changes it; any may ask.
type Cell struct{ value atomic.Uint32 }

// Reset begins a session.
func (c *Cell) Reset() { c.value.Store(uint32(Queued)) }

// On notes an event. One that cannot come is a bug of ours.
func (c *Cell) On(e Event) {
	was := c.Now()
	next := phaseAfter[was][e]
	if next == impossible {
		panic(fmt.Sprintf("internal error: a session that is %s cannot %s", Names[was], eventNames[e]))
	}
	c.value.Store(uint32(next))
}

func (c *Cell) Now() Phase { return Phase(c.value.Load()) }

// Begun says that bytes of an answer came from the process.
func (c *Cell) Begun() bool { return c.Now() >= heard }
