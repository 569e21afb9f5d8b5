package control

import (
	"context"
	"log/slog"
	"time"
)

// A Following is a watch that begins anew whenever it ended.
type Following struct {
	Down, Back string        // what the log says of the daemon that is watched
	Pause      time.Duration // before the second attempt to reach it; it grows to longestGap
	Lost       func()        // called when the watch ended; nil for nothing
}

const (
	longestGap = time.Second

	// alarmAfter is how long a daemon is gone before the log says so. Where all stop
	// together, or it is replaced, there is nothing to be alarmed of.
	alarmAfter = time.Second
)

// Follow calls watch, which calls heard with each line, until ctx ends.
func (f Following) Follow(ctx context.Context, watch func(heard func()) error) {
	pause, alarmed := f.Pause, false
	lost := time.Now() // the zero time while it is heard
	for ctx.Err() == nil {
		err := watch(func() {
			if alarmed {
				slog.Info(f.Back)
			}
			pause, alarmed, lost = f.Pause, false, time.Time{}
		})
		if ctx.Err() != nil {
			return
		}
		if f.Lost != nil {
			f.Lost()
		}
		if lost.IsZero() {
			lost = time.Now()
		}
		if !alarmed && time.Since(lost) >= alarmAfter {
			alarmed = true
			slog.Warn(f.Down, "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, longestGap)
	}
}
