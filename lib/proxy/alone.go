package proxy

import "time"

// A request that may have brought its process down is tried once more, alone: on
// a process that has no other session, and gets none until the request has the
// first byte of its answer. If it was the one, it takes nobody along this time.

// aloneTime is how long a process bears a request before that is not taken for
// one that brings processes down. It also bounds how long such a request waits
// for a process of its own once there is one at all; then it goes with the
// others, as a process that always has sessions would leave it nothing else.
const aloneTime = time.Second

// serves says that p takes sessions, now or when those it has are over.
func (p *process) serves() bool { return !p.draining && !p.refused && !p.hung() }

// pickAlone returns a free process without sessions. Those without upgraded
// connections come first: these can take no harm.
func (a *app) pickAlone() *process {
	if a.paused != "" {
		return nil
	}
	var best *process
	for _, p := range a.processes {
		if p.free() && p.inFlight == 0 && (best == nil || p.before(best)) {
			best = p
		}
	}
	return best
}

// hold keeps the process with the fewest sessions from those that come, as long
// as somebody waits for one without sessions. A process that takes one at a time
// is without after each; one that is had alone lets the others in before it is kept
// again.
func (a *app) hold() {
	if a.queue.alone == 0 {
		a.held = nil
		return
	}
	if a.held != nil && a.held.serves() && !a.held.alone {
		return
	}
	a.held = nil
	for _, p := range a.processes {
		if p.serves() && !p.alone && p.concurrency != 1 && (a.held == nil || p.before(a.held)) {
			a.held = p
		}
	}
}

// join lets other sessions onto p again, which a request has alone.
func (a *app) join(p *process) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p.alone {
		p.alone = false
		a.grant()
	}
}

// sweepAlone lets those that have had a process alone for aloneTime be joined,
// and those that have waited as long for one go with the others.
func (a *app) sweepAlone(now int64) {
	served := false
	for _, p := range a.processes {
		served = served || p.serves()
		if p.alone && overdue(&p.aloneBy, now) {
			p.alone = false
		}
	}
	for w := a.queue.first; w != nil && a.queue.alone > 0; {
		next := w.next
		switch {
		case !w.alone:
		case !served:
			w.aloneBy = 0
		case overdue(&w.aloneBy, now):
			a.queue.remove(w)
			w.alone = false
			a.queue.add(w)
		}
		w = next
	}
}

// overdue says that aloneTime has passed since it was first called for by, which
// was 0 then.
func overdue(by *int64, now int64) bool {
	if *by == 0 {
		*by = now + int64(aloneTime)
	}
	return now >= *by
}

// crowded says that p, a connection to which ended, had more than one session
// when the first of them found out.
func (a *app) crowded(p *process) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	p.crowded = p.crowded || p.inFlight > 1
	return p.crowded
}

// lives says that p has given no sign of its end but that of a connection.
func (a *app) lives(p *process) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return p.serves()
}
