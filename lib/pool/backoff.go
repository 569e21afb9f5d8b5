package pool

import (
	"log/slog"
	"time"

	"passenger/lib/pool/pause"
	"passenger/lib/protocol"
)

const (
	// A process that ends sooner than pause.Early after it was ready, and that no
	// request of a client ended at, died at start.
	freeKills   = 10              // instead of pause.FreeDeaths, where SIGKILL ended it: no app does that to itself
	patientPast = 4 * time.Second // a pause up to which requests wait for its end
)

// A backoff keeps an app that dies at start from being started too often.
type backoff struct {
	failures int // starts that failed in a row
	failedAt time.Time
	until    time.Time // no start before

	// err is why the last failed start failed, until one succeeds. refusing
	// says that requests need not wait for the next: it will fail likely.
	err      *protocol.SpawnError
	refusing bool

	strikes  int // early deaths in a row
	struckAt time.Time
	looping  bool // they were too many

	pace pace
}

func (b *backoff) recall(err *protocol.SpawnError) {
	if err != nil {
		b.err, b.refusing, b.failures = err, true, 1
	}
}

func (b *backoff) pause(now time.Time) {
	if until := now.Add(lostPause); until.After(b.until) {
		b.until = until
	}
}

// fail counts a failed start that began at began. Starts that ran beside one
// another fail together and count once.
func (b *backoff) fail(now, began time.Time, err *protocol.SpawnError, jitter float64) {
	b.err, b.refusing = err, true
	if b.failures > 0 && began.Before(b.failedAt) {
		return
	}
	b.failures++
	b.failedAt, b.until = now, now.Add(pause.After(b.failures, jitter))
}

func (b *backoff) succeed() {
	if !b.looping {
		b.failures, b.until, b.err = 0, time.Time{}, nil
	}
	b.refusing = false
}

// ease forgets early deaths once processes live again, and lets requests of an
// app that is started by them wait for another try.
func (a *app) ease(now time.Time, d *Decision) {
	b := &a.backoff
	if b.strikes > 0 && a.census().serving() > 0 {
		eased := later(b.struckAt, b.until).Add(pause.Held)
		if now.Before(eased) {
			d.wake(eased)
		} else {
			*b = backoff{}
			a.pool.table.changed(a)
		}
	}
	if b.refusing && a.least() == 0 {
		if now.Before(b.until) {
			d.wake(b.until)
		} else {
			b.refusing = false
			a.pool.table.changed(a)
		}
	}
}

// eagerPause is how long after a failed start one for a request may follow. A
// page is more than one request, and more than one may load it.
const eagerPause = time.Second

// triesAtRequest says that a request is worth a start whatever failed before:
// in development a developer makes it, who has likely just mended the app.
func (a *app) triesAtRequest() bool { return a.config.Environment == "development" }

// eager says that the app is started for requests that wait, though its pause
// is not over.
func (a *app) eager(now time.Time, d *Decision) bool {
	b := &a.backoff
	if !a.triesAtRequest() || b.failures == 0 || a.demand.queued == 0 {
		return false
	}
	at := b.failedAt.Add(eagerPause)
	if now.Before(at) {
		d.wake(at)
		return false
	}
	return true
}

// next is when a start may be.
func (b *backoff) next() time.Time { return later(b.until, b.pace.at) }

// strike counts an early death, and reports whether it did: those that die
// beside one another count once.
func (b *backoff) strike(now time.Time, q *process, exit *protocol.Exit) bool {
	if b.strikes > 0 && !q.since.After(b.struckAt) {
		return false
	}
	b.strikes++
	b.struckAt = now
	free := pause.FreeDeaths
	if exit != nil && exit.Signal == "SIGKILL" {
		free = freeKills
	}
	if b.strikes > free {
		b.looping, b.failures = true, b.strikes-free
	}
	return true
}

// acquit takes a strike back: the process had served.
func (b *backoff) acquit(now time.Time, a *app) {
	if b.strikes == 0 {
		return
	}
	if b.strikes--; b.strikes <= pause.FreeDeaths {
		b.looping, b.failures, b.refusing, b.until, b.err = false, 0, false, time.Time{}, nil
	}
	b.served(now, a, b.err)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// forgive forgets all but the last error: a person did something about it.
func (b *backoff) forgive() {
	*b = backoff{err: b.err}
}

// failed tells that a start failed for a reason of the app's.
func (q *process) failed(now time.Time, err *protocol.SpawnError) {
	a := q.app
	if a.canary.has(q) {
		a.canary.trial.failure = err
		return
	}
	if q.record.Generation != a.generation || a.removed {
		return // no caller waits for it
	}
	a.backoff.fail(now, q.since, err, q.app.pool.chance.Jitter())
	a.emit(now, protocol.Event{Event: protocol.EventSpawnFailed, Error: err})
	q.app.pool.table.changed(q.app)
	if a.triesAtRequest() {
		a.demand, a.grown = demand{}, true // requests that waited get an answer with the next table
	}
	slog.Error("process did not become ready", "app", a.config.Name, "generation", q.record.Generation,
		"failures", a.backoff.failures, "err", err.Summary)
	if r := a.restart; r != nil {
		r.trial.failure = err
		if a.backoff.failures >= restartTries && a.census().ready > 0 {
			r.want = min(r.want, a.census().ready)
		}
	}
}
