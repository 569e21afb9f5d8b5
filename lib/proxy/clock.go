package proxy

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A clock bounds every wait on a connection. Setting a deadline in the runtime
// for each read costs more than the read; instead a connection that waits
// notes when its patience ends, and the clock looks through them all once a
// tick. Its time is therefore no finer than a tick.
type clock struct {
	tick time.Duration

	// now is the time since start in nanoseconds, as of the last tick.
	now   atomic.Int64
	start time.Time

	// ending says that waits that were interrupted stay so.
	ending atomic.Bool

	// also is called at each tick, after the connections.
	also func(now int64)

	mu    sync.Mutex // guards the list, linked through conn.next
	first *conn
	count int

	wake chan struct{} // has room for one: the list is no longer empty
}

func newClock(tick time.Duration, also func(int64)) *clock {
	return &clock{tick: tick, start: time.Now(), also: also, wake: make(chan struct{}, 1)}
}

// after is the time at which a wait of d that begins now has lasted that long
// for sure.
func (k *clock) after(d time.Duration) int64 { return k.now.Load() + int64(d+k.tick) }

// run ticks until ctx ends, and rests while there is no connection.
func (k *clock) run(ctx context.Context) {
	ticker := time.NewTicker(k.tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		k.now.Store(int64(time.Since(k.start)))
		empty := k.sweep()
		k.also(k.now.Load())
		if empty {
			ticker.Stop()
			select {
			case <-ctx.Done():
				return
			case <-k.wake:
				ticker.Reset(k.tick)
			}
		}
	}
}

func (k *clock) sweep() (empty bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now.Load()
	for c := k.first; c != nil; c = c.next {
		c.expire(now)
	}
	return k.first == nil
}

func (k *clock) add(c *conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.first == nil {
		k.now.Store(int64(time.Since(k.start)))
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

func (k *clock) remove(c *conn) {
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

// each calls f with every connection. f does not add or remove one.
func (k *clock) each(f func(*conn)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for c := k.first; c != nil; c = c.next {
		f(c)
	}
}
