// Package balance decides which process takes a request, and which request waits.
//
// An [App] hands its processes out, the least busy one first, and keeps the queue
// of requests for which none is free. It knows what a route table says of the
// processes, how many sessions each has and what became of earlier ones, and
// whether the client of a request that waits is still there; it knows nothing of
// the requests themselves.
package balance

import (
	"sync"
	"sync/atomic"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/spawnerror"
)

// An App balances the sessions of one app over its processes and holds the
// queue of requests for which none is free.
type App struct {
	name    string
	changed func()            // a report is due
	room    func(own int) int // how many may wait where the table does not say; own of them do

	mu        sync.Mutex // guards all below, and the processes
	processes []*Process // in the route table, or with a session still
	departed  departed   // that were, a moment ago
	held      *Process   // of them, the one that gets no sessions until it has none
	uses      uint64     // orders the processes by last use
	queue     queue
	pace      pace
	crowded   atomic.Int64 // until then requests are expected to wait, in the clock's time

	// As in the route table.
	size          int                  // how many may wait
	open          bool                 // as many as room says instead
	wait          time.Duration        // how long each may
	canary        canary               // the zero one if there is none
	trial         bool                 // the newest generation is on trial
	failure       *protocol.SpawnError // nothing runs and the last start failed, else nil
	nextTry       time.Time
	tries         bool   // the pool starts a process for requests that come after the failure
	paused        string // one of protocol's words; empty for an app that serves
	removed       bool   // not in the table
	served        bool   // has had a process
	maxUpgraded   int    // connections without a slot that a process may have
	keepsUpgraded bool   // upgraded connections are left until their process ends

	requests  uint64 // that ended
	rejected  uint64
	retried   uint64
	errors    uint64 // sessions that processes let down, those that are gone included
	dismissed uint64 // upgraded connections that the proxy closed

	// SlowAfter is how long a session lasts behind which no request should have gone
	// ahead. It is set before the first one.
	SlowAfter time.Duration

	Waits Waits
}

// New returns an app without processes. changed is called when the pool has
// something to learn; room says how many requests may wait for an app whose
// table does not, of which own wait already; waiting counts the requests in the
// queues of all apps.
func New(name string, changed func(), room func(own int) int, waiting *atomic.Int64) *App {
	return &App{name: name, changed: changed, room: room, queue: queue{waiting: waiting}, SlowAfter: slowAfter}
}

// pick returns the free process with the fewest sessions; of several the one
// with the fewest upgraded connections; of those one of the newest generation, so
// that a trial of it shows something; and of those the last used one, so that
// processes that are not needed fall idle. A paused app has no free process.
func (a *App) pick(w *Waiter) *Process {
	if a.paused != "" {
		return nil
	}
	if a.canary.share > 0 {
		return a.pickSide(w)
	}
	var best *Process
	for _, p := range a.processes {
		if p.free() && p != a.held && (best == nil || p.before(best)) && !(w.Upgrade && a.laden(p)) {
			best = p
		}
	}
	return best
}

// start counts a session of w on p, and returns an idle connection if there is one.
func (a *App) start(w *Waiter, p *Process) *Upstream {
	p.alone, p.aloneBy = w.Alone, 0
	p.begin(a)
	return p.takeIdle()
}

// begin counts a session on p.
func (p *Process) begin(a *App) {
	p.inFlight++
	a.uses++
	p.used = a.uses
}

// Another returns one more idle connection to p, nil if there is none.
func (a *App) Another(p *Process) *Upstream {
	a.mu.Lock()
	defer a.mu.Unlock()
	return p.takeIdle()
}

// Acquire starts a session on a process, and returns an idle connection to it
// if there is one. It waits in w if no process is free; retried says that the
// request had a process that turned out to be gone, so that it waits at the
// queue's head.
func (a *App) Acquire(w *Waiter, retried bool) (*Process, *Upstream, error) {
	p, u, err := a.acquire(w, retried)
	for err == errInVain {
		p, u, err = a.acquire(w, true)
	}
	return p, u, err
}

// acquire is Acquire for a request that may go ahead in vain.
func (a *App) acquire(w *Waiter, retried bool) (*Process, *Upstream, error) {
	w.Went = false
	a.mu.Lock()
	if a.removed {
		a.mu.Unlock()
		return nil, nil, ErrRemoved
	}
	if retried {
		a.retried++
	}
	// No waiting request has a use for a free process: grant saw to that.
	if p := a.pickFor(w); p != nil {
		a.queue.losses.got()
		u := a.start(w, p)
		a.mu.Unlock()
		return p, u, nil
	}
	if err := a.refusal(w, retried); err != nil {
		a.reject()
		a.mu.Unlock()
		return nil, nil, err
	}
	if w.Began.IsZero() {
		w.Began, w.Starting = time.Now(), len(a.processes) == 0
	}
	w.retried, w.aloneBy = retried, 0
	a.queue.add(w)
	formed := a.queue.length == 1
	a.crowds(w.Since)
	a.hold()
	going := a.lookAhead()
	a.mu.Unlock()
	a.carry(going)
	if formed {
		a.changed()
	}
	<-w.Answered
	return w.Process, w.Upstream, w.Err
}

// Release ends a session on p. now is the clock's time, took how long the session
// lasted, in nanoseconds. u is its connection if another session may use it, else
// nil; v says how p did.
func (a *App) Release(p *Process, u *Upstream, now, took int64, v Verdict) {
	a.end(p, u, now, took, v, true)
}

// end is Release for a session that may have no slot any more.
func (a *App) end(p *Process, u *Upstream, now, took int64, v Verdict, slot bool) {
	a.mu.Lock()
	if v == Stuck || p.counted == 0 || v != Fine && a.trial {
		defer a.changed()
	}
	if v != Fine {
		p.errors++
		a.errors++
	}
	if v == Stuck {
		p.stuck++
	}
	p.counted++
	p.took += took
	p.lastUsed = max(now, 1)
	a.requests++
	if slot {
		p.inFlight--
		p.alone = false
		p.refused = p.refused && u == nil
		u = a.passOn(p, u, now)
	}
	if p.draining {
		fell := !p.busy()
		a.mu.Unlock()
		if u != nil {
			u.Close()
		}
		if fell {
			a.changed()
		}
		return
	}
	if u != nil {
		u.idleSince, u.Reused = now, true
		p.idle = append(p.idle, u)
	}
	a.grant()
	going := a.lookAhead()
	a.mu.Unlock()
	a.carry(going)
}

// AskWork counts a response of p that asked for time without requests.
func (a *App) AskWork(p *Process) {
	a.mu.Lock()
	p.asked++
	a.mu.Unlock()
	a.changed()
}

// Cancel ends a session that never began. refused says that p took no connection;
// then it gets no other until retry, in the clock's time.
func (a *App) Cancel(p *Process, refused bool, retry int64) {
	a.mu.Lock()
	p.inFlight--
	p.alone = false
	a.passOn(p, nil, 0)
	p.retry = retry
	if refused {
		p.refuse(retry)
	}
	a.grant()
	a.mu.Unlock()
	if refused {
		a.changed()
	}
}

// grant gives free processes to those that wait. All code that makes a process
// free calls it, so that afterwards no request waits for a free process.
func (a *App) grant() {
	var p *Process
	there := func(w *Waiter) bool {
		p = a.pickFor(w)
		return p != nil
	}
	for w := a.queue.next(there); w != nil; w = a.queue.next(there) {
		if a.hasLeft(w) {
			continue
		}
		a.queue.serve(w)
		w.answer(p, a.start(w, p), nil)
	}
	a.hold()
}

// hasLeft is leaves for one that is about to get a process.
func (a *App) hasLeft(w *Waiter) bool {
	return time.Since(w.Began) > lookAfter && a.leaves(w, w.Probe.Conn.Clock.Now.Load())
}

// lookAfter is how long a request has waited when its client is looked for once
// more before it gets a process. That is a system call; and few clients leave
// sooner.
const lookAfter = 100 * time.Millisecond

// leaves takes w out of the queue if its time is over or its client is gone, and
// says whether it did. now is the clock's time.
func (a *App) leaves(w *Waiter, now int64) bool {
	switch {
	case now >= w.Since+int64(a.wait):
		a.reject()
		a.queue.leave(w, ErrQueueTime)
	case w.Probe.Look(now):
		a.queue.leave(w, ErrGone)
	default:
		return false
	}
	return true
}

// SpawnError returns why the last start failed, nil if it did not, and in words
// when the next one is due.
func (a *App) SpawnError() (failure *protocol.SpawnError, next string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.failure, spawnerror.Next(a.name, a.nextTry, time.Now(), a.tries)
}

// Sweep refuses requests that waited too long, drops those whose client is gone,
// tries processes again that refused connections, and closes connections that
// were idle too long. now is the clock's time.
func (a *App) Sweep(now int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.queue.first != nil {
		a.changed() // the pool goes by how long it waits
	}
	for w := a.queue.first; w != nil; {
		next := w.next
		a.leaves(w, now)
		w = next
	}
	a.sweepAlone(now)
	a.sweepAhead(now)
	for _, p := range a.processes {
		if p.refused && now >= p.retry {
			p.refused = false
		}
		p.closeIdle(now)
	}
	a.grant()
}

// Stop refuses all waiting requests because of why.
func (a *App) Stop(why error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fail(why)
	for _, p := range a.processes {
		p.place.give(why)
	}
}

// Close closes the idle connections.
func (a *App) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.processes {
		closeAll(p.idle)
		p.idle = nil
	}
}

func closeAll(us []*Upstream) {
	for _, u := range us {
		u.Close()
	}
}
