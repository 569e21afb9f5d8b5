package balance

import (
	"errors"
	"slices"

	"passenger/lib/protocol"
)

// Why a request gets no process.
var (
	ErrQueueFull = errors.New("the queue is full")
	ErrQueueTime = errors.New("waited too long in the queue")
	ErrNoProcess = errors.New("the app could not be started")
	ErrRemoved   = errors.New("the app was removed")
	ErrGone      = errors.New("the client went away")
	ErrPaused    = errors.New("the app is paused")
	ErrUpgraded  = errors.New("the app has too many upgraded connections")
)

func (a *App) reject() {
	a.requests++
	a.rejected++
}

func (a *App) refusal(w *Waiter, retried bool) error {
	switch {
	case a.paused == protocol.PausedPage:
		return ErrPaused
	case a.hopeless() && !a.tries:
		return ErrNoProcess
	case w.Upgrade && a.allLaden():
		return ErrUpgraded
	case !retried && !a.makePlace(w):
		a.queue.losses.lost()
		return ErrQueueFull
	}
	return nil
}

// makePlace says whether there is a place in the queue for w, which has come. To
// make one it may refuse the request that has waited longest, whose client is the
// least likely to be there still; but where a table bounds the queue, only for one
// of another client address.
func (a *App) makePlace(w *Waiter) bool {
	places := a.size
	if a.open {
		places = a.room(a.queue.length)
	}
	who, yes := a.queue.yields(w, places)
	if !yes {
		return true
	}
	if !a.open && (!who.IsValid() || who == w.from) {
		return false
	}
	shed := a.queue.oldestOf(who)
	if shed == nil {
		return false
	}
	a.reject()
	a.queue.leave(shed, ErrQueueFull)
	return true
}

// hopeless says that waiting for a process is in vain: the last start failed
// and no process is left.
func (a *App) hopeless() bool {
	return a.failure != nil && !slices.ContainsFunc(a.processes, func(p *Process) bool { return !p.draining })
}

// sameStart says that both are about one start.
func sameStart(a, b *protocol.SpawnError) bool {
	return b != nil && a.ProcessID == b.ProcessID && a.At.Equal(b.At)
}

// fail refuses all waiting requests.
func (a *App) fail(err error) {
	for w := a.queue.first; w != nil; w = a.queue.first {
		a.queue.remove(w)
		a.reject()
		w.answer(nil, nil, err)
	}
}
