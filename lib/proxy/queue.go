package proxy

import (
	"sync/atomic"
	"time"
)

// A waiter is a request's place in a queue. It is answered once each time it
// was added.
type waiter struct {
	presence
	wanted  []byte    // the process it had before, by its cookie
	upgrade bool      // the client asks for another protocol
	retried bool      // it had a process that turned out to be gone
	alone   bool      // it may have ended that one, and gets the next for itself
	aloneBy int64     // it waits no longer for that, in the clock's time; 0 as long as it may
	since   int64     // when it first came, in the clock's time
	began   time.Time // the same, finer; zero until it has to wait

	next, prev *waiter

	// The answer: a process and an idle connection to it if there is one, or
	// an error. Written before the signal in answered, which has room for it.
	process  *process
	upstream *upstream
	err      error
	answered chan struct{}
}

func (w *waiter) answer(p *process, u *upstream, err error) {
	w.process, w.upstream, w.err = p, u, err
	w.answered <- struct{}{}
}

// A queue is a list of waiters, oldest first. The app's mutex guards it.
type queue struct {
	first, last *waiter
	length      int
	alone       int           // of them, those that want a process for themselves
	waiting     *atomic.Int64 // counts those in all queues; nil if nobody asks
}

// add adds w, at the head if it was retried, unless it wants a process for itself.
func (q *queue) add(w *waiter) {
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

func (q *queue) remove(w *waiter) {
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

func (q *queue) count(w *waiter, more int) {
	q.length += more
	if w.alone {
		q.alone += more
	}
	if q.waiting != nil {
		q.waiting.Add(int64(more))
	}
}

// first says that w is served before those that had no process yet.
func (w *waiter) first() bool { return w.retried && !w.alone }

// oldest is who waits longest of those that had no process before, nil if nobody
// does.
func (q *queue) oldest() *waiter {
	w := q.first
	for w != nil && w.retried {
		w = w.next
	}
	return w
}

// staleAfter is how long the oldest may have waited for the queue to be in
// health: a burst is over by then.
const staleAfter = 200 * time.Millisecond

// stale says that requests come faster than they are answered, for so long that
// to serve the oldest first would serve nobody in time: by the time of its turn
// each would have waited as long as its client is willing to, or longer.
func (q *queue) stale() bool {
	w := q.oldest()
	return w != nil && time.Since(w.began) > staleAfter
}

// serve offers each waiter to f, in the order in which they shall be served, until
// f says that it is enough; f may remove the one it is given. First come those
// that had a process before; then the oldest, or the newest if the queue is
// stale; and at last, whatever f said, those that want a process for themselves.
func (q *queue) serve(f func(*waiter) (enough bool)) {
	if q.first == nil {
		return
	}
	q.serveMost(f)
	for w := q.first; w != nil && q.alone > 0; {
		next := w.next
		if w.alone && f(w) {
			return
		}
		w = next
	}
}

// serveMost is serve without those that want a process for themselves.
func (q *queue) serveMost(f func(*waiter) (enough bool)) {
	newest := q.stale()
	for w := q.first; w != nil && (w.retried || !newest); {
		next := w.next
		if !w.alone && f(w) {
			return
		}
		w = next
	}
	for w := q.last; newest && w != nil && !w.first(); {
		prev := w.prev
		if !w.alone && f(w) {
			return
		}
		w = prev
	}
}
