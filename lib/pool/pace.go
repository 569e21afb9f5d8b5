package pool

import (
	"log/slog"
	"time"

	"passenger/lib/protocol"
)

const (
	// freeReplacements of processes that served are started at once, beside
	// two for each process that the app has: a client may have brought them
	// down, and must not take the app from the others.
	freeReplacements = 10

	// Then there is one in this time, or in so many times as a start takes: an
	// app that dies again and again must not take a processor from its
	// neighbours, and still serves in between.
	replacePause = 100 * time.Millisecond
	replaceShare = 3

	longestReplacePause = 10 * time.Second
)

// A pace bounds how often processes that served are replaced.
type pace struct {
	due time.Time // when the last one would have been, evenly spaced
	at  time.Time // no start before

	toldAt time.Time // when the log was last told
}

// pacePause is how often the log is told of an app that dies.
const pacePause = 10 * time.Second

// next counts a replacement, of which free may come early.
func (p *pace) next(now time.Time, every time.Duration, free int) {
	p.due = later(p.due, now).Add(every)
	p.at = p.due.Add(-time.Duration(free) * every)
}

// served tells that a process ended which clients had used. The next one is
// started at once, as long as that does not happen all the time, and requests
// wait for it.
func (b *backoff) served(now time.Time, a *app, why *protocol.SpawnError) {
	every := min(max(replacePause, replaceShare*a.startTook), longestReplacePause)
	b.pace.next(now, every, freeReplacements+2*len(a.processes))
	if !b.pace.at.After(now) {
		return
	}
	if why != nil {
		b.err = why
	}
	if now.Sub(b.pace.toldAt) >= pacePause {
		b.pace.toldAt = now
		slog.Error("processes that served die again and again", "app", a.config.Name, "pause", b.pace.at.Sub(now).Round(time.Millisecond))
	}
}
