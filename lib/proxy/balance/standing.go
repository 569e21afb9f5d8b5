package balance

import "passenger/lib/protocol"

// A Standing is what an app could do for a request that came now.
type Standing struct {
	App string

	// Why is why the request would get no process: neither now nor after a wait.
	// Empty for an app that serves, also if its queue is full.
	Why string

	// Slots is how many sessions the app's processes take at once, Free how many of
	// those they could take now. Processes that take any number are not counted.
	Slots, Free int
}

// Standing says how the app stands, of which the pool keeps so many processes
// whether there are requests or not.
func (a *App) Standing(kept int) Standing {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := Standing{App: a.name}
	here := false
	for _, p := range a.processes {
		if p.draining {
			continue
		}
		here = true
		s.Slots += p.concurrency
		if p.serves() && a.paused == "" {
			s.Free += max(p.concurrency-p.inFlight, 0)
		}
	}
	switch {
	case a.paused == protocol.PausedPage:
		s.Why = "it is paused"
	case a.hopeless() && !a.tries:
		s.Why = "it has no process, and its last start failed"
	case !here && !a.served && kept > 0:
		s.Why = "its first process is not ready yet"
	}
	return s
}
