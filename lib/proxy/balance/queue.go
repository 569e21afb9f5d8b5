package balance

import (
	"sync/atomic"
	"time"
)

// A Waiter is a request's place in a queue. It is answered once each time it
// was added.
type Waiter struct {
	Probe   Probe
	Wanted  []byte    // the process it had before, by its cookie
	Upgrade bool      // the client asks for another protocol
	retried bool      // it had a process that turned out to be gone
	Alone   bool      // it may have ended that one, and gets the next for itself
	aloneBy int64     // it waits no longer for that, in the clock's time; 0 as long as it may
	Since   int64     // when it first came, in the clock's time
	Began   time.Time // the same, finer; zero until it has to wait

	next, prev *Waiter

	// The answer: a process and an idle connection to it if there is one, or
	// an error. Written before the signal in answered, which has room for it.
	Process  *Process
	Upstream *Upstream
	Err      error
	Answered chan struct{}
}

func (w *Waiter) answer(p *Process, u *Upstream, err error) {
	w.Process, w.Upstream, w.Err = p, u, err
	w.Answered <- struct{}{}
}

// A queue is a list of waiters, oldest first. The app's mutex guards it.
type queue struct {
	first, last *Waiter
	length      int
	alone       int           // of them, those that want a process for themselves
	waiting     *atomic.Int64 // counts those in all queues; nil if they are not counted
}

// add adds w, at the head if it was retried, unless it wants a process for itself.
func (q *queue) add(w *Waiter) {
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
}

// first says that w is served before those that had no process yet.
func (w *Waiter) first() bool { return w.retried && !w.Alone }

// oldest is the waiter that has waited longest of those that had no process yet,
// nil if there is none.
func (q *queue) oldest() *Waiter {
	w := q.first
	for w != nil && w.retried {
		w = w.next
	}
	return w
}

// staleAfter is how long the oldest may have waited in a healthy queue: a burst is
// over by then.
const staleAfter = 200 * time.Millisecond

// stale says that requests come faster than they are answered, for so long that
// to serve the oldest first would serve none in time: by its turn each would have
// waited as long as its client is willing to, or longer.
func (q *queue) stale() bool {
	w := q.oldest()
	return w != nil && time.Since(w.Began) > staleAfter
}

// serve offers each waiter to f, in the order of service, until
// f says that it is enough; f may remove the one it is given. First come those
// that had a process before; then the oldest, or the newest if the queue is
// stale; and at last, whatever f said, those that want a process for themselves.
func (q *queue) serve(f func(*Waiter) (enough bool)) {
	if q.first == nil {
		return
	}
	q.serveMost(f)
	for w := q.first; w != nil && q.alone > 0; {
		next := w.next
		if w.Alone && f(w) {
			return
		}
		w = next
	}
}

// serveMost is serve without those that want a process for themselves.
func (q *queue) serveMost(f func(*Waiter) (enough bool)) {
	newest := q.stale()
	for w := q.first; w != nil && (w.retried || !newest); {
		next := w.next
		if !w.Alone && f(w) {
			return
		}
		w = next
	}
	for w := q.last; newest && w != nil && !w.first(); {
		prev := w.prev
		if !w.Alone && f(w) {
			return
		}
		w = prev
	}
}
