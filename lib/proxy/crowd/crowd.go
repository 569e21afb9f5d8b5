// Package crowd gives memory back to the system once many clients need less of it
// than they did a moment ago, as those that have fallen quiet.
package crowd

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"passenger/lib/proc"
)

const (
	// Size is how many clients make it worth a garbage collection.
	Size = 1000

	// lull is how long the rest of a crowd is waited for: as long as another Size
	// come meanwhile, but no longer than longest.
	lull    = 3 * time.Second
	longest = 12 * time.Second

	// share bounds what that costs: a pause is so many times as long as the
	// collection before it.
	share = 100
)

// A Crowd counts such clients. Its methods may be called from any goroutine.
type Crowd struct {
	settle func()
	fresh  atomic.Int64 // clients since memory was given back last

	mu   sync.Mutex // guards rest; held while memory is given back
	rest time.Time  // when it may be again
}

// New returns a crowd of nobody, whose memory settle gives back.
func New(settle func()) *Crowd { return &Crowd{settle: settle} }

// Join counts one client more.
func (c *Crowd) Join() {
	if c.fresh.Add(1) == Size {
		c.await(Size, 0)
	}
}

// await looks for the rest of a crowd of so many, which has been waited for already,
// in a while.
func (c *Crowd) await(seen int64, waited time.Duration) {
	time.AfterFunc(lull, func() {
		waited += lull
		now := c.fresh.Load()
		if now >= seen+Size && waited < longest || !c.giveBack() {
			c.await(now, waited)
		}
	})
}

// giveBack gives memory back, and says whether it may.
func (c *Crowd) giveBack() bool {
	if !c.mu.TryLock() {
		return false
	}
	defer c.mu.Unlock()
	begin := time.Now()
	if begin.Before(c.rest) {
		return false
	}
	c.fresh.Store(0)
	c.settle()
	now := time.Now()
	c.rest = now.Add(share * now.Sub(begin))
	return true
}

// Settle is what a crowd is to be given for settle, but in tests.
func Settle() {
	runtime.GC() // what lies in pools survives one
	proc.Settle()
}
