package proxy

import (
	"runtime/debug"
	"sync/atomic"
	"time"
)

const (
	// crowd is how many clients need less than they did a moment ago before it is
	// worth a garbage collection to give the memory back to the system.
	crowd = 1000

	crowdSettles = 3 * time.Second
)

// A gathering counts such clients, as those that were parked, and gives the
// memory of a crowd back once the rest of it has come, too.
type gathering struct{ fresh atomic.Int32 }

func (g *gathering) add() {
	if g.fresh.Add(1) == crowd {
		time.AfterFunc(crowdSettles, func() {
			g.fresh.Store(0)
			debug.FreeOSMemory()
		})
	}
}
