package wire

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"passenger/lib/list"
)

// A Clock bounds every wait on a connection. Setting a deadline in the runtime
// for each read costs more than the read; instead a connection that waits
// notes when its patience ends, and the clock looks through them all once a
// tick. Its time is therefore no finer than a tick.
//
// The zero Clock is not ready for use; see NewClock.
type Clock struct {
	Tick time.Duration // over zero

	// Now is the time since start in nanoseconds, as of the last tick.
	Now   atomic.Int64
	Start time.Time

	// Ending means that waits that were interrupted stay so.
	Ending atomic.Bool

	// Ahead is how far the clock is ahead of the system's, in nanoseconds. Tests
	// have time pass by it.
	Ahead atomic.Int64

	// also is called at each tick, after the connections.
	also func(now int64)

	mu    sync.Mutex // guards conns
	conns list.List[*Conn]

	wake chan struct{} // has room for one: conns is no longer empty
}

// NewClock returns a clock that ticks once Run is called, and then calls also
// with the time, after the connections.
func NewClock(tick time.Duration, also func(int64)) *Clock {
	return &Clock{Tick: tick, Start: time.Now(), also: also, wake: make(chan struct{}, 1)}
}

// After is the time at which a wait of d that begins now has lasted that long
// for sure.
func (k *Clock) After(d time.Duration) int64 { return k.Now.Load() + int64(d+k.Tick) }

// Run ticks until ctx ends, and rests while there is no connection.
func (k *Clock) Run(ctx context.Context) {
	ticker := time.NewTicker(k.Tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		k.look()
		empty := k.sweep()
		k.also(k.Now.Load())
		if empty {
			ticker.Stop()
			select {
			case <-ctx.Done():
				return
			case <-k.wake:
				ticker.Reset(k.Tick)
			}
		}
	}
}

// look has Now be the time.
func (k *Clock) look() { k.Now.Store(int64(time.Since(k.Start)) + k.Ahead.Load()) }

// sweep ends the waits that are over, and reports whether there is no connection.
func (k *Clock) sweep() (empty bool) {
	now := k.Now.Load()
	k.mu.Lock()
	defer k.mu.Unlock()
	for n := k.conns.First(); n != nil; n = n.Next() {
		n.Value.expire(now)
	}
	return k.conns.Len() == 0
}

func (k *Clock) add(c *Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.conns.Len() == 0 {
		k.look()
		select {
		case k.wake <- struct{}{}:
		default:
		}
	}
	c.watched.Value = c
	k.conns.PushFront(&c.watched)
}

// Remove takes c out of the clock's care, if it is still there.
func (k *Clock) Remove(c *Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.conns.Remove(&c.watched)
}

// Each calls f with every connection, the newest first. f neither opens nor
// closes one.
func (k *Clock) Each(f func(*Conn)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for n := k.conns.First(); n != nil; n = n.Next() {
		f(n.Value)
	}
}
