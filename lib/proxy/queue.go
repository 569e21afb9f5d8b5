package proxy

import "time"

// A waiter is a request's place in a queue. It is answered once each time it
// was added.
type waiter struct {
	presence
	wanted  []byte    // the process it had before, by its cookie
	upgrade bool      // the client asks for another protocol
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
}

func (q *queue) add(w *waiter, atHead bool) {
	q.length++
	switch {
	case q.first == nil:
		q.first, q.last = w, w
	case atHead:
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
	q.length--
}
