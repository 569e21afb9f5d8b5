package pool

import (
	"time"

	"passenger/lib/protocol"
)

// fullPause is how often a full queue is an event, for each app.
const fullPause = time.Minute

// rejections are the requests that proxies sent away.
type rejections struct {
	count  uint64
	told   uint64    // those that were an event
	toldAt time.Time // when the last event was
}

// emit has an event told with the next decision.
func (a *app) emit(now time.Time, e protocol.Event) {
	e.At, e.App, e.AppRoot = now, a.config.Name, a.config.AppRoot
	a.pool.events = append(a.pool.events, e)
}

// reject makes events of the requests that were sent away.
func (a *app) reject(now time.Time, d *Decision) {
	if a.rejections.count <= a.rejections.told {
		a.rejections.told = a.rejections.count // a proxy that left took its count along
		return
	}
	if due := a.rejections.toldAt.Add(fullPause); !a.rejections.toldAt.IsZero() && now.Before(due) {
		d.wake(due)
		return
	}
	a.emit(now, protocol.Event{Event: protocol.EventQueueFull, Rejected: a.rejections.count - a.rejections.told})
	a.rejections.told, a.rejections.toldAt = a.rejections.count, now
}
