package balance

// Upgraded connections may last for hours. So those of a process that is to go
// are closed at once, unless the app wants them to be left until it ends.

// An Upgraded is a connection on which no request follows. It needs no slot
// of its process, and may last for as long as that does.
type Upgraded interface {
	// Dismiss closes the connection, and says whether it was open. The app's
	// mutex is held: it calls nothing of the app, and waits for nothing.
	Dismiss() bool
}

// Enter counts u, which may be closed, among the upgraded connections of p.
// parting says that all of them are to end.
func (a *App) Enter(p *Process, u Upgraded, parting bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p.upgrade(u, true)
	if (p.leaving || a.removed || parting) && !a.keepsUpgraded {
		a.dismiss(p)
	}
}

// Exit is the reverse of Enter. takenOver says that u stays, as a takeover. Once
// Exit returns, the app does not dismiss u.
func (a *App) Exit(p *Process, u Upgraded, takenOver bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if takenOver {
		p.upgraded[u] = false
	} else {
		delete(p.upgraded, u)
	}
}

// laden says that p has as many upgraded connections as it may. Where they keep
// their slots, these are the limit.
func (a *App) laden(p *Process) bool {
	return p.Session && p.concurrency > 0 && len(p.upgraded) >= a.maxUpgraded
}

// allLaden says that no process may have one more.
func (a *App) allLaden() bool {
	some := false
	for _, p := range a.processes {
		if p.draining {
			continue
		}
		if some = true; !a.laden(p) {
			return false
		}
	}
	return some
}

// dismiss closes the upgraded connections of a process. The app's mutex is
// held.
func (a *App) dismiss(p *Process) {
	for u, closable := range p.upgraded {
		if closable && u.Dismiss() {
			a.dismissed++
		}
	}
}

// DismissAll closes the upgraded connections of all processes. force does so
// even if the app wants them left.
func (a *App) DismissAll(force bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.keepsUpgraded && !force {
		return
	}
	for _, p := range a.processes {
		a.dismiss(p)
	}
}
