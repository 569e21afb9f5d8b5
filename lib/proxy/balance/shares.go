package balance

import "net/netip"

// One client address holds at most half of a queue's places while others wait, so
// that nobody keeps all others out by asking often. Until a queue is half full
// nobody can hold half of it: so long it costs nothing.

// shares are the waiters of each client address. The zero shares are not counted.
type shares struct {
	of   map[netip.Addr]int // nil while they are not counted; the zero address has those without one
	most netip.Addr         // has most of them, if any has more than half
}

// begin counts those in q from now on until none waits.
func (s *shares) begin(q *queue) {
	if s.of != nil {
		return
	}
	s.of, s.most = map[netip.Addr]int{}, netip.Addr{}
	for w := q.first; w != nil; w = w.next {
		s.enter(w)
	}
}

func (s *shares) enter(w *Waiter) {
	w.from = w.From()
	s.of[w.from]++
	if !s.most.IsValid() || w.from.IsValid() && s.of[w.from] > s.of[s.most] {
		s.most = w.from
	}
}

// count notes that w came to or left a queue which has length of them now.
func (s *shares) count(w *Waiter, more, length int) {
	switch {
	case s.of == nil:
	case more > 0:
		s.enter(w)
	case length == 0:
		s.of = nil
	case s.of[w.from] == 1:
		delete(s.of, w.from)
	default:
		s.of[w.from]--
	}
}

// yields says whether one of a client address is to leave the queue of so many
// places before w, which has come, may have one, and of which address. The zero
// address stands for those that came first, whoever they are.
func (q *queue) yields(w *Waiter, places int) (who netip.Addr, yes bool) {
	full, half := q.length >= places, (places+1)/2
	if places < 2 || q.length < half {
		return who, full
	}
	q.shares.begin(q)
	w.from = w.From()
	own := q.shares.of[w.from]
	switch most := q.shares.most; {
	case w.from.IsValid() && own >= half && own < q.length:
		return w.from, true
	case full && most.IsValid() && most != w.from && q.shares.of[most] > half:
		return most, true
	}
	return who, full
}

// oldestOf is the oldest waiter of a client address that had no process yet, of
// any if it is the zero one; nil if there is none.
func (q *queue) oldestOf(from netip.Addr) *Waiter {
	w := q.oldest()
	for w != nil && from.IsValid() && (w.from != from || w.retried) {
		w = w.next
	}
	return w
}
