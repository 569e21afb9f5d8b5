// Package loglimit keeps messages of what happens thousands of times a second
// from filling a log.
package loglimit

import (
	"sync/atomic"
	"time"
)

// A Limiter says whether a message is due, of which one at a time says enough.
// The zero Limiter has let none through yet. Any goroutine may ask it.
type Limiter struct{ last atomic.Int64 } // when one was let through, in nanoseconds since 1970

// Due says whether to log now: at most once a second.
func (l *Limiter) Due() bool { return l.DueAfter(time.Second) }

// DueAfter is Due, at most once in d.
func (l *Limiter) DueAfter(d time.Duration) bool {
	now, last := time.Now().UnixNano(), l.last.Load()
	return now-last >= int64(d) && l.last.CompareAndSwap(last, now)
}
