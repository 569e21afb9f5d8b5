// Package bug keeps a panic in one goroutine from ending a daemon, and with it
// the service for all apps. Words of apps and clients find such bugs.
package bug

import (
	"context"
	"log/slog"
	"runtime/debug"
	"time"
)

// pause is how long after a bug a loop begins again, so that one which ends it
// each time costs next to nothing.
const pause = time.Second

// Caught is deferred where a goroutine begins, or where one takes up what an
// app or a client said: a bug in it is logged and ends what end ends, and
// nothing else. end may be nil.
func Caught(end func()) {
	r := recover()
	if r == nil {
		return
	}
	slog.Error("internal error", "err", r, "stack", string(debug.Stack()))
	if end != nil {
		end()
	}
}

// Go runs f in a goroutine of its own.
func Go(f func()) {
	go func() {
		defer Caught(nil)
		f()
	}()
}

// Outlive runs f, and after a bug again, until it returns or ctx ends. It is
// for loops that a daemon cannot do without.
func Outlive(ctx context.Context, f func()) {
	for !returns(f) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func returns(f func()) (returned bool) {
	defer Caught(nil)
	f()
	return true
}
