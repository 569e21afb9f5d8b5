// Package side decides which side processes of an app run: those that listen on
// nothing, such as the workers of a queue. It does no I/O, and starts every
// decision from the processes as they are; see package pool.
package side

import (
	"maps"
	"slices"
	"time"

	"passenger/lib/protocol"
)

// A Crew is the side processes of one app. It is used by one goroutine.
type Crew struct {
	app    string
	chance Chance
	kinds  map[string]*kind

	settled int  // the generation that they are to be of, 0 as long as none was told
	alone   bool // those of another generation are to be gone first
	events  []protocol.Event
}

// Chance is where a crew gets what has to differ each time.
type Chance struct {
	ID     func() string  // of a new process; see [protocol.Process.ID]
	Jitter func() float64 // in [0, 1)
}

// New is the crew of an app, without a process.
func New(app string, chance Chance) *Crew {
	return &Crew{app: app, chance: chance, kinds: map[string]*kind{}}
}

// An Aim is what a crew is to come to.
type Aim struct {
	Config     protocol.AppConfig // complete
	Generation int                // that its processes are to be of, 0 if that is not known

	// Trial is a generation that may come to be next: of each of its types that
	// are required one process is to show that it starts. nil for none.
	Trial *Trial

	// Alone says that old processes are to be gone before new ones start.
	Alone bool

	// Room says whether one more process may load now.
	Room func() bool

	// Memory is what a process takes in bytes, 0 if that is not known.
	Memory func(id string) int64
}

// A Trial is a generation on trial with its settings.
type Trial struct {
	Config     protocol.AppConfig
	Generation int
}

// Orders are what is to be done.
type Orders struct {
	Start  []protocol.SpawnRequest
	Stop   []Stop
	Events []protocol.Event // without what the app tells of itself

	// Wake is when to decide again if nothing happens before; the zero time means
	// never.
	Wake time.Time
}

// A Stop is a process that is to be stopped, and why.
type Stop struct{ ID, Reason string }

func (o *Orders) wake(at time.Time) {
	if o.Wake.IsZero() || at.Before(o.Wake) {
		o.Wake = at
	}
}

// Step moves the crew towards its aim.
func (c *Crew) Step(now time.Time, aim Aim) Orders {
	var o Orders
	if aim.Trial == nil && c.Idle(&aim.Config) {
		return o
	}
	if aim.Generation != 0 && aim.Generation != c.settled {
		c.settled, c.alone = aim.Generation, aim.Alone
	}
	for _, k := range c.all(aim) {
		k.step(now, aim, &o)
		if len(k.processes) == 0 && aim.Config.Processes[k.name] == (protocol.SideProcess{}) && !aim.Trial.needs(k.name) {
			delete(c.kinds, k.name)
		}
	}
	o.Events, c.events = c.events, nil
	return o
}

// Dismiss has all processes go.
func (c *Crew) Dismiss(now time.Time) Orders {
	var o Orders
	for _, k := range c.sorted() {
		for _, p := range k.processes {
			p.leave("app removed")
		}
		k.stop(now, &o)
	}
	c.events = nil
	return o
}

// Idle says that there is nothing to be done with settings and no [Trial].
func (c *Crew) Idle(config *protocol.AppConfig) bool {
	return len(c.kinds) == 0 && len(config.Processes) == 0
}

// Empty says that there is no process.
func (c *Crew) Empty() bool {
	for _, k := range c.kinds {
		if len(k.processes) > 0 {
			return false
		}
	}
	return true
}

// Generation is that which the processes are to be of: where no one has told, as
// after the death of a pool, that of the oldest; 0 if there is none.
func (c *Crew) Generation() int {
	oldest := c.settled
	for _, k := range c.kinds {
		for _, p := range k.processes {
			if g := p.record.Generation; c.settled == 0 && (oldest == 0 || g < oldest) {
				oldest = g
			}
		}
	}
	return oldest
}

// Loading is how many processes load since less than a time: each keeps a
// processor busy.
func (c *Crew) Loading(now time.Time, since time.Duration) int {
	n := 0
	for _, k := range c.kinds {
		for _, p := range k.processes {
			if !p.ready && p.why == "" && now.Before(p.began.Add(since)) {
				n++
			}
		}
	}
	return n
}

// Forgive forgets failures: a person did something about them.
func (c *Crew) Forgive() {
	for _, k := range c.kinds {
		k.failures, k.strikes, k.until = 0, 0, time.Time{}
	}
}

// Detach has a process go, which is replaced if it is needed. It reports whether
// it is one of the crew.
func (c *Crew) Detach(id string) bool {
	_, p := c.find(id)
	if p != nil {
		p.leave("detached")
	}
	return p != nil
}

// ProcessOf is the ID of the process with a pid, empty if there is none.
func (c *Crew) ProcessOf(pid int) string {
	for _, k := range c.kinds {
		for _, p := range k.processes {
			if p.record.PID == pid && pid > 0 {
				return p.record.ID
			}
		}
	}
	return ""
}

// all are the kinds that there are or are to be, by name.
func (c *Crew) all(aim Aim) []*kind {
	for name := range aim.Config.Processes {
		c.kind(name)
	}
	if aim.Trial != nil {
		for name := range aim.Trial.Config.Processes {
			c.kind(name)
		}
	}
	return c.sorted()
}

func (c *Crew) sorted() []*kind {
	kinds := make([]*kind, 0, len(c.kinds))
	for _, name := range slices.Sorted(maps.Keys(c.kinds)) {
		kinds = append(kinds, c.kinds[name])
	}
	return kinds
}

func (c *Crew) kind(name string) *kind {
	k := c.kinds[name]
	if k == nil {
		k = &kind{crew: c, name: name}
		c.kinds[name] = k
	}
	return k
}

// find is the process of an ID with its kind, nil if there is none.
func (c *Crew) find(id string) (*kind, *process) {
	for _, k := range c.kinds {
		for _, p := range k.processes {
			if p.record.ID == id {
				return k, p
			}
		}
	}
	return nil, nil
}
