package balance

import (
	"errors"
	"time"
)

// Look-ahead: the request that would be next to get a process is sent to it while
// that one still answers another, on the same connection. So the process finds it
// there when it is done, and need not sleep and be woken in between.
//
// What was sent cannot be recalled. So only one request goes ahead, only where it
// loses nothing by it, and only to a process of our own adapters, which begins with
// it when it has sent its whole answer to the one before, and not at all if that
// answer is the last on its connection. See passenger-protocol(7).

// Why a request that went ahead did not get its turn.
var (
	// errInVain: the process has not begun with it, and will not.
	errInVain = errors.New("went ahead in vain")

	// ErrCutOff: the process may have begun with it.
	ErrCutOff = errors.New("the connection on which it went ahead was given up")
)

// A place is that behind the session of a process. Its app's mutex guards it.
type place struct {
	of    *Waiter   // whose session it is, if that one went ahead itself
	up    *Upstream // of the session; nil while none may follow on it
	since time.Time // when the process had the session's request, whole
	next  *Waiter   // the one whose request follows; nil if there is none
	taken bool      // a request followed, whatever became of it
	spent *Upstream // is of no use after the session: what followed on it was given up
}

// open lets a request follow on u from now on.
func (s *place) open(u *Upstream) { s.up, s.since = u, time.Now() }

// give ends the place of the one that follows, and says why.
func (s *place) give(why error) {
	if w := s.next; w != nil {
		s.next, s.spent = nil, s.up
		if w.why = why; !w.goes { // who sends it tells it
			w.answer(nil, nil, why)
		}
	}
}

// Sent notes that p has the request of a session on it, over u, and that another one
// may follow. One that waits may go ahead then.
func (a *App) Sent(p *Process, u *Upstream) {
	if !p.LooksAhead() || u.Clock.Now.Load() > a.crowded.Load() {
		return
	}
	a.mu.Lock()
	var going *Waiter
	if !p.place.taken {
		p.place.open(u)
		going = a.lookAhead()
	}
	a.mu.Unlock()
	a.carry(going)
}

// lately is how long after a request that waited another one is expected to. Longer
// ago nothing is known of the app's pace.
const lately = time.Minute

// crowds notes that a request waits, since then in the clock's time.
func (a *App) crowds(since int64) {
	if since > a.crowded.Load() {
		a.pace.forget()
	}
	a.crowded.Store(since + int64(lately))
}

// lookAhead gives places to the next of those that wait, as long as there are some,
// and returns who got one, for carry. Nobody is overtaken who may not go ahead.
func (a *App) lookAhead() (going *Waiter) {
	if a.queue.first == nil || !a.pace.quick() || a.paused != "" || a.queue.alone > 0 {
		return nil
	}
	now := time.Now()
	var p *Process
	there := func(w *Waiter) bool {
		p = a.openPlace(w, now)
		return p != nil
	}
	for a.queue.first != nil && there(a.queue.first) {
		w := a.queue.next(there)
		if a.hasLeft(w) {
			continue
		}
		a.queue.serve(w)
		w.Process, w.Upstream = p, p.place.up
		w.goes, w.said, w.why = true, false, nil
		p.place.next, p.place.taken = w, true
		w.next, going = going, w
	}
	return going
}

// openPlace returns the process behind whose session w may go ahead, the one whose
// session began first; nil if there is none, or one of the sessions is slow already.
func (a *App) openPlace(w *Waiter, now time.Time) *Process {
	if w.Ahead == nil || w.retried || w.choosy() {
		return nil
	}
	var best *Process
	for _, p := range a.processes {
		s := &p.place
		switch {
		case s.up == nil:
		case now.Sub(s.since) >= a.SlowAfter:
			return nil
		case !s.taken && p.serves() && !p.alone && p.concurrency == 1 && (best == nil || s.since.Before(best.place.since)):
			best = p
		}
	}
	return best
}

// carry sends the requests of those that lookAhead returned, whose own goroutines
// sleep: the one that makes a place sends what follows, so that the process has it
// before it is done with the request that it has.
func (a *App) carry(going *Waiter) {
	for going != nil {
		w := going
		going, w.next = w.next, nil
		for more := a.sendAhead(w); more != nil; {
			next := more
			more, next.next = next.next, going
			going = next
		}
	}
}

// sendAhead sends w's request, which has a place behind a session. It answers w if
// that lost the place, or had its turn, meanwhile. It returns what lookAhead does.
func (a *App) sendAhead(w *Waiter) (going *Waiter) {
	p, u, s := w.Process, w.Upstream, &w.Process.place
	u.ahead.Lock()
	a.mu.Lock()
	next := s.next == w
	a.mu.Unlock()
	sent, err := 0, error(errInVain)
	if next {
		sent, err = w.Ahead(p, u)
	}
	u.ahead.Unlock()

	a.mu.Lock()
	defer a.mu.Unlock()
	w.goes, w.said = false, err == nil
	switch {
	case w.why != nil:
		w.answer(nil, nil, w.why)
	case s.of == w:
		if w.Went = w.said; w.said {
			s.open(u)
			going = a.lookAhead()
		} else if sent > 0 {
			u.Close() // to send the request again fails, and it is tried elsewhere
		}
		w.answer(p, u, nil)
	case !w.said:
		if s.next = nil; sent > 0 {
			s.spent = u // what left us is no request
		}
		w.answer(nil, nil, errInVain)
	}
	return going
}

// passOn ends the place behind a session of p that has ended. If a request followed,
// it gets its turn, with u; else u is returned. u is nil if it is of no further use.
func (a *App) passOn(p *Process, u *Upstream, now int64) (left *Upstream) {
	s := &p.place
	if !s.since.IsZero() {
		a.pace.ended(time.Since(s.since), a.SlowAfter)
	}
	w := s.next
	switch {
	case u == nil:
		s.give(errInVain)
		w = nil
	case u == s.spent:
		u.Close()
		u = nil
	}
	*s = place{of: w}
	if w == nil {
		return u
	}
	u.idleSince, u.Reused = now, true
	p.begin(a)
	if !w.goes { // who sends it tells it
		s.open(u)
		w.Went = true
		w.answer(p, u, nil)
	}
	return nil
}

// Forgo says that no request can follow on the connection of p's session. One that
// went ahead is tried elsewhere. begun says that the process may have begun with it.
func (a *App) Forgo(p *Process, begun bool) {
	if !p.LooksAhead() {
		return
	}
	why := errInVain
	if begun {
		why = ErrCutOff
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	p.place.give(why)
	p.place.up = nil
}

// Anew says that the connection of p's session has ended, and the session goes on over
// another one, which nothing has followed on.
func (a *App) Anew(p *Process) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p.place.give(errInVain)
	p.place = place{}
}

// Keep says that p can have another session over u: rest, what it sent behind an
// answer, is nothing, or begins that to the request that followed, which gets it.
func (a *App) Keep(p *Process, u *Upstream, rest []byte) bool {
	switch {
	case len(rest) == 0:
		return true
	case !a.Followed(p):
		return false
	}
	u.Keep(rest)
	return true
}

// nothingFollows is an empty header block: what came before it is not to be answered,
// and what comes behind it is for the app.
var nothingFollows = []byte("0:,")

// Confirm tells p, which said that the app takes over u, the connection of its
// session, where what is for the app begins: behind the whole of what went ahead.
func (a *App) Confirm(p *Process, u *Upstream) {
	a.Forgo(p, false)
	u.ahead.Lock()
	defer u.ahead.Unlock()
	_, _ = u.WriteBoth(u.owed, nothingFollows) // reading tells that it is gone
}

// GiveUp closes u, the connection of p's session, which has had no answer or not a
// whole one. heard says that some of one came.
func (a *App) GiveUp(p *Process, u *Upstream, heard bool) {
	if a.Followed(p) {
		a.Forgo(p, heard || u.Cut())
	}
	u.Close()
}

// Followed says that a request went ahead behind the session of p.
func (a *App) Followed(p *Process) bool {
	if !p.LooksAhead() {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return p.place.taken
}

// sweepAhead ends the wait of those that went ahead and have waited too long.
func (a *App) sweepAhead(now int64) {
	for _, p := range a.processes {
		if w := p.place.next; w != nil && now >= w.Since+int64(a.wait) {
			a.reject()
			p.place.give(ErrQueueTime)
		}
	}
}
