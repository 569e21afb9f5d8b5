package proxy

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"passenger/lib/httpcache"
	"passenger/lib/loglimit"
	"passenger/lib/protocol"
	"passenger/lib/proxy/files"
	"passenger/lib/spawnerror"
)

// Why a request gets no process.
var (
	errQueueFull = errors.New("the queue is full")
	errQueueTime = errors.New("waited too long in the queue")
	errNoProcess = errors.New("the app could not be started")
	errRemoved   = errors.New("the app was removed")
	errGone      = errors.New("the client went away")
	errPaused    = errors.New("the app is paused")
	errUpgraded  = errors.New("the app has too many upgraded connections")
)

// An app balances the sessions of one app over its processes and holds the
// queue of requests for which none is free.
type app struct {
	name    string
	changed func() // a report is due

	mu        sync.Mutex // guards all below, and the processes
	processes []*process // in the route table, or with a session still
	departed  departed   // that were, a moment ago
	held      *process   // of them, the one that shall have no sessions soon
	trial     bool       // the newest generation is on trial
	queue     queue
	size      int               // how many may wait
	open      bool              // as many as room says instead
	room      func(own int) int // what the proxy has memory and descriptors for
	wait      time.Duration
	failure   *protocol.SpawnError // nothing runs and the last start failed, else nil
	nextTry   time.Time            // as in the route table
	tries     bool                 // to start for those that come after the failure
	removed   bool                 // not in the route table
	paused    string               // as in the route table
	requests  uint64
	rejected  uint64
	retried   uint64
	dirs      files.Dirs                      // the proxy's mutex guards them
	errors    uint64                          // sessions that processes let down, those that are gone included
	cache     atomic.Pointer[httpcache.Cache] // nil if its answers are not kept
	uses      uint64                          // orders the processes by last use

	// No mutex guards these.
	complained loglimit.Limiter // of a file that is not sent
	faults     faults
	disk       share        // for bodies of its requests and answers
	diskLogged atomic.Int64 // when that was spent last, in Unix nanoseconds
	tally      tally
	waits      atomic.Uint64 // requests that waited in the queue and got a process
	waitTime   atomic.Int64  // how long they did together

	maxUpgraded   int    // connections without a slot that a process may have
	keepsUpgraded bool   // upgraded connections are left until their process ends
	dismissed     uint64 // of them, those that we closed
}

// pick returns the free process with the fewest sessions; of several the one
// with the fewest upgraded connections, of those one of the newest generation, so
// that a trial of it shows something, and of those the last used one, so that
// processes that are not needed fall idle. A paused app has none.
func (a *app) pick(w *waiter) *process {
	if a.paused != "" {
		return nil
	}
	var best *process
	for _, p := range a.processes {
		if p.free() && p != a.held && (best == nil || p.before(best)) && !(w.upgrade && a.laden(p)) {
			best = p
		}
	}
	return best
}

// start counts a session of w on p, and returns an idle connection if there is one.
func (a *app) start(w *waiter, p *process) *upstream {
	p.inFlight++
	p.alone, p.aloneBy = w.alone, 0
	a.uses++
	p.used = a.uses
	return p.takeIdle()
}

// another returns one more idle connection to p, nil if there is none.
func (a *app) another(p *process) *upstream {
	a.mu.Lock()
	defer a.mu.Unlock()
	return p.takeIdle()
}

// acquire starts a session on a process, and returns an idle connection to it
// if there is one. It waits in w if no process is free; retried says that the
// request had a process that turned out to be gone, so that it waits at the
// queue's head.
func (a *app) acquire(w *waiter, retried bool) (*process, *upstream, error) {
	a.mu.Lock()
	if a.removed {
		a.mu.Unlock()
		return nil, nil, errRemoved
	}
	if retried {
		a.retried++
	}
	// Who waits already has no use for a process that is free: grant saw to that.
	if p := a.pickFor(w); p != nil {
		u := a.start(w, p)
		a.mu.Unlock()
		return p, u, nil
	}
	if err := a.refusal(w, retried); err != nil {
		a.reject()
		a.mu.Unlock()
		return nil, nil, err
	}
	if w.began.IsZero() {
		w.began = time.Now()
	}
	w.retried, w.aloneBy = retried, 0
	a.queue.add(w)
	a.hold()
	formed := a.queue.length == 1
	a.mu.Unlock()
	if formed {
		a.changed()
	}
	<-w.answered
	return w.process, w.upstream, w.err
}

// countWait counts that a request, which had waited for before, has now waited
// for d.
func (a *app) countWait(before, d time.Duration) {
	if before == 0 {
		a.waits.Add(1)
	}
	a.waitTime.Add(int64(d - before))
}

func (a *app) reject() {
	a.requests++
	a.rejected++
}

func (a *app) refusal(w *waiter, retried bool) error {
	switch {
	case a.paused == protocol.PausedPage:
		return errPaused
	case a.hopeless() && !a.tries:
		return errNoProcess
	case w.upgrade && a.allLaden():
		return errUpgraded
	case retried:
	case !a.open && a.queue.length >= a.size, a.open && a.queue.length >= a.room(a.queue.length) && !a.shed():
		return errQueueFull
	}
	return nil
}

// shed sends away who has waited longest, so that there is a place, and says
// whether it did: its client is the one that is least likely to be there still.
func (a *app) shed() bool {
	w := a.queue.oldest()
	if w == nil {
		return false
	}
	a.queue.remove(w)
	a.reject()
	w.answer(nil, nil, errQueueFull)
	return true
}

// release ends a session on p, now, that took so long. u is its connection if
// another session may use it, else nil; v says how p did.
func (a *app) release(p *process, u *upstream, now, took int64, v verdict) {
	a.mu.Lock()
	if v == stuck || p.counted == 0 || v != fine && a.trial {
		defer a.changed()
	}
	if v != fine {
		p.errors++
		a.errors++
	}
	if v == stuck {
		p.stuck++
	}
	p.inFlight--
	p.alone = false
	p.counted++
	p.took += took
	p.lastUsed = max(now, 1)
	a.requests++
	p.refused = p.refused && u == nil
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
		u.idleSince, u.reused = now, true
		p.idle = append(p.idle, u)
	}
	a.grant()
	a.mu.Unlock()
}

// askWork counts a response of p that asked for time without requests.
func (a *app) askWork(p *process) {
	a.mu.Lock()
	p.asked++
	a.mu.Unlock()
	a.changed()
}

// cancel ends a session that never began. refused says that p took no
// connection, and not before when to try again; busy that it had no room for
// one.
func (a *app) cancel(p *process, refused bool, retry int64) {
	a.mu.Lock()
	p.inFlight--
	p.alone = false
	p.refused = p.refused || refused
	p.retry = retry
	a.grant()
	a.mu.Unlock()
	if refused {
		a.changed()
	}
}

// grant gives free processes to those that wait. Whatever makes a process free
// calls it, so that afterwards no process is free that somebody waits for.
func (a *app) grant() {
	a.queue.serve(func(w *waiter) (enough bool) {
		p := a.pickFor(w)
		if p == nil {
			// So nobody after w gets one, but for whom w waits not.
			return len(w.wanted) == 0 && !w.upgrade || w.alone
		}
		a.queue.remove(w)
		w.answer(p, a.start(w, p), nil)
		return false
	})
	a.hold()
}

// apply takes over a new route.
func (a *app) apply(r *protocol.Route) {
	a.mu.Lock()
	a.size, a.open, a.wait = r.QueueSize, r.QueueOpen, orElse(r.QueueTime, defaultQueueTime)
	again := a.tries && r.TryAtRequest && a.failure != nil && sameStart(a.failure, r.Error)
	a.failure, a.removed, a.paused, a.trial = r.Error, false, r.Paused, r.Trial
	a.nextTry, a.tries = r.NextTry, r.TryAtRequest
	a.maxUpgraded = defaultMaxUpgraded
	if r.MaxUpgraded != nil {
		a.maxUpgraded = *r.MaxUpgraded
	}
	a.keepsUpgraded = r.AbortWebSockets != nil && !*r.AbortWebSockets
	var closed []*upstream
	for _, p := range a.processes {
		if !slices.ContainsFunc(r.Processes, func(rp protocol.RouteProcess) bool { return rp.ID == p.id && !rp.Draining }) {
			closed = append(closed, p.drain()...)
		}
	}
	for _, rp := range r.Processes {
		a.applyProcess(r, rp)
	}
	a.processes = slices.DeleteFunc(a.processes, func(p *process) bool {
		over := !p.busy() && !slices.ContainsFunc(r.Processes, func(rp protocol.RouteProcess) bool { return rp.ID == p.id })
		if over {
			a.departed.add(p)
		}
		return over
	})
	for _, p := range a.processes {
		if p.leaving && !a.keepsUpgraded {
			a.dismiss(p)
		}
	}
	a.grant()
	if a.paused == protocol.PausedPage {
		a.fail(errPaused)
	}
	if a.hopeless() && !again {
		a.fail(errNoProcess)
	}
	a.mu.Unlock()
	closeAll(closed)
}

func (a *app) applyProcess(r *protocol.Route, rp protocol.RouteProcess) {
	for _, p := range a.processes {
		if p.id == rp.ID {
			p.draining, p.leaving = rp.Draining, rp.Leaving
			p.concurrency = rp.Concurrency
			p.sendfile.Store(files.NewSendfile(r, a.dirs.Home(r, &rp)))
			return
		}
	}
	p := &process{
		id: rp.ID, sticky: stickyID(rp.ID), pid: rp.PID, uid: files.UnknownUser, address: rp.Address, concurrency: rp.Concurrency, generation: rp.Generation,
		session: rp.DataProtocol == protocol.ProtocolSession, draining: rp.Draining, leaving: rp.Leaving,
	}
	if rp.UID != nil {
		p.uid = *rp.UID
	}
	p.sendfile.Store(files.NewSendfile(r, a.dirs.Home(r, &rp)))
	a.processes = append(a.processes, p)
}

// remove is apply for an app that is no longer in the table.
func (a *app) remove() {
	a.mu.Lock()
	a.removed = true
	var closed []*upstream
	for _, p := range a.processes {
		closed = append(closed, p.drain()...)
		if !a.keepsUpgraded {
			a.dismiss(p)
		}
	}
	a.fail(errRemoved)
	a.mu.Unlock()
	closeAll(closed)
}

// over says that the app left the table and its last session ended.
func (a *app) over() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.removed && !slices.ContainsFunc(a.processes, (*process).busy)
}

// hopeless says that waiting for a process is in vain: the last start failed
// and no process is left.
func (a *app) hopeless() bool {
	return a.failure != nil && !slices.ContainsFunc(a.processes, func(p *process) bool { return !p.draining })
}

// sameStart says that both are about one start.
func sameStart(a, b *protocol.SpawnError) bool {
	return b != nil && a.ProcessID == b.ProcessID && a.At.Equal(b.At)
}

// spawnError returns why the last start failed, nil if it did not, and in words
// when the next one is due.
func (a *app) spawnError() (failure *protocol.SpawnError, next string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.failure, spawnerror.Next(a.name, a.nextTry, time.Now(), a.tries)
}

// fail sends everybody in the queue away.
func (a *app) fail(err error) {
	for w := a.queue.first; w != nil; w = a.queue.first {
		a.queue.remove(w)
		a.reject()
		w.answer(nil, nil, err)
	}
}

// sweep sends away who waited too long or is gone, tries again what refused
// connections, and closes connections that were idle too long.
func (a *app) sweep(now int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.queue.first != nil {
		a.changed() // the pool goes by how long it waits
	}
	for w := a.queue.first; w != nil; {
		next := w.next
		if now >= w.since+int64(a.wait) {
			a.queue.remove(w)
			a.reject()
			w.answer(nil, nil, errQueueTime)
		} else if w.look(now) {
			a.queue.remove(w)
			w.answer(nil, nil, errGone)
		}
		w = next
	}
	a.sweepAlone(now)
	for _, p := range a.processes {
		if p.refused && now >= p.retry {
			p.refused = false
		}
		p.closeIdle(now)
	}
	a.grant()
}

// stop sends everybody in the queue away: the proxy stops.
func (a *app) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fail(errStopping)
}

// close closes the idle connections.
func (a *app) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.processes {
		closeAll(p.idle)
		p.idle = nil
	}
}

func closeAll(us []*upstream) {
	for _, u := range us {
		u.Close()
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
