package pool

import (
	"time"

	"passenger/lib/protocol"
)

// fullPause is how often a full queue is an event, for each app.
const fullPause = time.Minute

// emit has an event told with the next decision.
func (a *app) emit(now time.Time, e protocol.Event) {
	e.At, e.App, e.AppRoot = now, a.config.Name, a.config.AppRoot
	a.pool.events = append(a.pool.events, e)
}

// reject makes events of the requests that were sent away.
func (a *app) reject(now time.Time, d *Decision) {
	if a.rejected <= a.told {
		a.told = a.rejected // a proxy that left took its count along
		return
	}
	if due := a.toldAt.Add(fullPause); !a.toldAt.IsZero() && now.Before(due) {
		d.wake(due)
		return
	}
	a.emit(now, protocol.Event{Event: protocol.EventQueueFull, Rejected: a.rejected - a.told})
	a.told, a.toldAt = a.rejected, now
}
