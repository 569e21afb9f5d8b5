package balance

import "time"

// A request that may have brought its process down is tried once more, alone: on
// a process that has no other session, and gets none until the request has the
// first byte of its answer. If it brings down this one too, no other request
// fails with it.

// AloneTime is how long a process must bear a request for the app to trust it
// again. It also bounds how long such a request waits for a process without
// sessions while the app has any process; then it shares one with others, since
// a process that always has sessions would never be free for it.
const AloneTime = time.Second

// serves says that p takes sessions, now or when those it has are over.
func (p *Process) serves() bool { return !p.draining && !p.refused && !p.hung() }

// pickAlone returns a free process without sessions. Those without upgraded
// connections come first: these can take no harm.
func (a *App) pickAlone() *Process {
	if a.paused != "" {
		return nil
	}
	var best *Process
	for _, p := range a.processes {
		if p.free() && p.inFlight == 0 && (best == nil || p.before(best)) {
			best = p
		}
	}
	return best
}

// hold keeps new sessions off the process with the fewest of them, as long as a
// request waits for one without sessions. A process that takes one at a time needs
// no holding: it has none after each. One that a request just had alone takes
// others before it is held again.
func (a *App) hold() {
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

// Join lets other sessions onto p again, which a request had alone.
func (a *App) Join(p *Process) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p.alone {
		p.alone = false
		a.grant()
	}
}

// sweepAlone opens processes to others that a request has had alone for
// AloneTime, and lets requests share one that have waited as long.
func (a *App) sweepAlone(now int64) {
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
		case !w.Alone:
		case !served:
			w.aloneBy = 0
		case overdue(&w.aloneBy, now):
			a.queue.remove(w)
			w.Alone = false
			a.queue.add(w)
		}
		w = next
	}
}

// overdue says that aloneTime has passed since it was first called for by, which
// was 0 then.
func overdue(by *int64, now int64) bool {
	if *by == 0 {
		*by = now + int64(AloneTime)
	}
	return now >= *by
}

// Crowded says that p, a connection to which ended, had more than one session
// when the first of them found out.
func (a *App) Crowded(p *Process) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	p.crowded = p.crowded || p.inFlight > 1
	return p.crowded
}

// Lives says that p has shown no sign of its end beside that of one connection.
func (a *App) Lives(p *Process) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return p.serves()
}
