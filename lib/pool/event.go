package pool

import (
	"time"

	"passenger/lib/protocol"
)

// fullPause is how often a full queue is an event, for each app.
const fullPause = time.Minute

// emit has an event told with the next decision.
func (p *Pool) emit(now time.Time, a *app, e protocol.Event) {
	e.At, e.App, e.AppRoot = now, a.config.Name, a.config.AppRoot
	p.events = append(p.events, e)
}

// reject makes events of the requests that were sent away.
func (p *Pool) reject(now time.Time, a *app, d *Decision) {
	if a.rejected <= a.told {
		a.told = a.rejected // a proxy that left took its count along
		return
	}
	if due := a.toldAt.Add(fullPause); !a.toldAt.IsZero() && now.Before(due) {
		d.wake(due)
		return
	}
	p.emit(now, a, protocol.Event{Event: protocol.EventQueueFull, Rejected: a.rejected - a.told})
	a.told, a.toldAt = a.rejected, now
}
