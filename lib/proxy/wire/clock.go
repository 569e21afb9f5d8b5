package wire

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A Clock bounds every wait on a connection. Setting a deadline in the runtime
// for each read costs more than the read; instead a connection that waits
// notes when its patience ends, and the clock looks through them all once a
// tick. Its time is therefore no finer than a tick.
type Clock struct {
	Tick time.Duration

	// Now is the time since start in nanoseconds, as of the last tick.
	Now   atomic.Int64
	Start time.Time

	// Ending says that waits that were interrupted stay so.
	Ending atomic.Bool

	// also is called at each tick, after the connections.
	also func(now int64)

	mu    sync.Mutex // guards the list, linked through Conn.next
	first *Conn
	count int

	wake chan struct{} // has room for one: the list is no longer empty
}

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
		k.Now.Store(int64(time.Since(k.Start)))
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

func (k *Clock) sweep() (empty bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.Now.Load()
	for c := k.first; c != nil; c = c.next {
		c.expire(now)
	}
	return k.first == nil
}

func (k *Clock) add(c *Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.first == nil {
		k.Now.Store(int64(time.Since(k.Start)))
		select {
		case k.wake <- struct{}{}:
		default:
		}
	} else {
		k.first.prev = c
	}
	c.next, k.first = k.first, c
	k.count++
}

func (k *Clock) Remove(c *Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if c.prev == nil && c.next == nil && k.first != c {
		return
	}
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		k.first = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
	k.count--
}

// Each calls f with every connection. f does not add or remove one.
func (k *Clock) Each(f func(*Conn)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for c := k.first; c != nil; c = c.next {
		f(c)
	}
}
