package balance

import (
	"net/netip"
	"sync/atomic"
	"time"
)

// A Waiter is a request's place in a queue. It is answered once each time it
// was added.
type Waiter struct {
	Probe    Probe
	From     func() netip.Addr // the client's address, as one that shares; the zero one if it has none
	Wanted   []byte            // the process it had before, by its cookie
	Upgrade  bool              // the client asks for another protocol
	retried  bool              // it had a process that turned out to be gone
	Alone    bool              // it may have ended that one, and gets the next for itself
	Canary   []byte            // which generation its client had before, by its cookie
	side     side              // which it gets; see [App.sideOf]
	aloneBy  int64             // it waits no longer for that, in the clock's time; 0 as long as it may
	Since    int64             // when it first came, in the clock's time
	Began    time.Time         // the same, finer; zero until it has to wait
	Starting bool              // no process was there when it began to wait

	next, prev *Waiter
	ahead      uint64     // what the queue had served when it was added
	from       netip.Addr // as From says, while the queue counts addresses

	// The answer: a process and an idle connection to it if there is one, or
	// an error. Written before the signal in answered, which has room for it.
	Process  *Process
	Upstream *Upstream
	Err      error
	Answered chan struct{}

	// Ahead sends the request, which is safe, has no body and asks for no other
	// protocol, to p over u without waiting, and returns how many bytes of it got
	// away; nil for a request that may not go ahead. Another goroutine calls it while
	// the waiter's own waits. Went says that the process of the answer has the
	// request already.
	Ahead func(p *Process, u *Upstream) (sent int, err error)
	Went  bool
	goes  bool  // it has a place behind a session, and is being sent there
	said  bool  // it was sent there
	why   error // it lost the place
}

func (w *Waiter) answer(p *Process, u *Upstream, err error) {
	w.Process, w.Upstream, w.Err = p, u, err
	w.Answered <- struct{}{}
}

// first says that w is served before those that had no process yet.
func (w *Waiter) first() bool { return w.retried && !w.Alone }

// choosy says that w does not take every process that others take.
func (w *Waiter) choosy() bool { return len(w.Wanted) > 0 || w.Upgrade || w.Alone || w.side != neither }

// A queue is a list of waiters, oldest first. The app's mutex guards it.
type queue struct {
	first, last *Waiter
	length      int
	alone       int           // of them, those that want a process for themselves
	waiting     *atomic.Int64 // counts those in all queues; nil if they are not counted

	served uint64 // waiters that got a process
	losses losses // waiters and those that never had to wait
	shares shares
}

// add adds w, at the head if it was retried, unless it wants a process for itself.
func (q *queue) add(w *Waiter) {
	w.ahead = q.served
	q.count(w, 1)
	switch {
	case q.first == nil:
		q.first, q.last = w, w
	case w.first():
		w.next, q.first.prev, q.first = q.first, w, w
	default:
		w.prev, q.last.next, q.last = q.last, w, w
	}
}

func (q *queue) remove(w *Waiter) {
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		q.first = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		q.last = w.prev
	}
	w.next, w.prev = nil, nil
	q.count(w, -1)
}

func (q *queue) count(w *Waiter, more int) {
	q.length += more
	if w.Alone {
		q.alone += more
	}
	if q.waiting != nil {
		q.waiting.Add(int64(more))
	}
	q.shares.count(w, more, q.length)
}

// oldest is the waiter that has waited longest of those that had no process yet,
// nil if there is none.
func (q *queue) oldest() *Waiter {
	w := q.first
	for w != nil && w.retried {
		w = w.next
	}
	return w
}

const (
	// lateAfter is how long a request may have waited that is not late: a burst is
	// over by then.
	lateAfter = 200 * time.Millisecond

	// lateTurns is how many others may have been served meanwhile. Where an app has
	// less to do than it can, chance alone makes a queue so long only from 0.95 of its
	// capacity on; and an app whose requests take seconds keeps up though each of them
	// waits for longer than lateAfter.
	lateTurns = 50
)

// late says that w has waited for so long that its client may not be there much
// longer, because of others that were served.
func (q *queue) late(w *Waiter) bool {
	return q.served-w.ahead >= lateTurns && time.Since(w.Began) > lateAfter
}

// leave takes w out, which waits no longer because of why.
func (q *queue) leave(w *Waiter, why error) {
	q.losses.lost()
	q.remove(w)
	w.answer(nil, nil, why)
}

// next is the waiter to be served next of those for which there is a process, nil
// if there is none; it is the last one that there was called for. First come those
// that had a process before; then whose turn it is; and at last those that want a
// process for themselves.
func (q *queue) next(there func(*Waiter) bool) *Waiter {
	for w := q.first; w != nil; w = w.next {
		switch {
		case w.Alone:
			continue
		case there(w):
			return q.turn(w, there)
		case w.choosy():
			continue
		}
		break // no later one gets a process either
	}
	for w := q.first; w != nil && q.alone > 0; w = w.next {
		if w.Alone {
			if there(w) {
				return w
			}
			return nil
		}
	}
	return nil
}

// turn is the waiter whose turn it is, where w is the oldest for which there is a
// process: that one while the app keeps up with its requests.
//
// While it loses many it is the newest. To serve the oldest first would serve none
// in time: by its turn each would have waited as long as its client is willing to,
// or longer.
//
// Nobody may have left yet when w is late, as after a burst. Then those that came
// since have their turn before it, so that they are not late as well; but of those
// that are late the oldest has.
func (q *queue) turn(w *Waiter, there func(*Waiter) bool) *Waiter {
	if w.retried || !q.losses.many && !q.late(w) {
		return w
	}
	if n := q.newest(there); q.losses.many || !q.late(n) {
		return n
	}
	there(w)
	return w
}

// newest is the youngest waiter for which there is a process: there is one.
func (q *queue) newest(there func(*Waiter) bool) *Waiter {
	w := q.last
	for w.Alone || !there(w) {
		w = w.prev
	}
	return w
}

// serve takes w out, which gets a process.
func (q *queue) serve(w *Waiter) {
	q.remove(w)
	q.served++
	q.losses.got()
}
