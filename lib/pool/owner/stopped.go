package owner

import (
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/proc"
)

const (
	// silence is how long after a proxy's last report the pool looks at it. A
	// proxy reports every second.
	silence = 3 * time.Second

	// secondLook is how long after that a stopped proxy may go on by itself: a
	// signal to a whole group of processes does not reach all at once.
	secondLook = time.Second

	// mostProxies bounds how many are watched.
	mostProxies = 64
)

// A watcher makes sure that a proxy which was stopped (SIGSTOP) does not hold up
// its clients for good. It sends SIGCONT, so that no client loses anything. If
// that is in vain it sends SIGKILL; the service manager or the wrapper starts
// another proxy, for which the clients wait. The pool does this because it hears
// the proxy every second anyway. A proxy that is merely silent is left alone: the
// machine may be slow. The watcher also tells of a proxy that died, so that the
// pool does not wait for its reports. The zero watcher watches no proxy.
type watcher struct {
	died func(id string) // nil to tell no one

	waiting sync.WaitGroup // for deaths

	mu      sync.Mutex // guards the fields below
	watched map[string]*watched
	closed  bool
}

// A watched proxy has reported and not left.
type watched struct {
	handle  *proc.Handle
	timer   *time.Timer
	stopped int // how often in a row it was, when it was looked at
}

// heard notes a report of the proxy with an ID, which is the process pid by the
// kernel's word. leaving says that it is the last.
func (k *watcher) heard(id string, pid int, leaving bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	w := k.watched[id]
	switch {
	case w != nil && leaving:
		k.forget(id)
	case w != nil:
		w.stopped = 0
		w.timer.Reset(silence)
	case !leaving && !k.closed && len(k.watched) < mostProxies:
		k.watch(id, pid)
	}
}

func (k *watcher) watch(id string, pid int) {
	identity, err := proc.IdentityOf(pid)
	if err != nil {
		return // it has gone, or is in a PID namespace that we do not see
	}
	h, err := proc.Open(identity)
	if err != nil {
		return
	}
	if k.watched == nil {
		k.watched = map[string]*watched{}
	}
	k.watched[id] = &watched{handle: h, timer: time.AfterFunc(silence, func() { k.look(id) })}
	k.waiting.Go(func() {
		if h.Wait() != nil {
			return // it was forgotten
		}
		k.mu.Lock()
		if w := k.watched[id]; w != nil && w.handle == h {
			k.forget(id)
		}
		k.mu.Unlock()
		if k.died != nil {
			k.died(id)
		}
	})
}

func (k *watcher) forget(id string) {
	w := k.watched[id]
	delete(k.watched, id)
	w.timer.Stop()
	w.handle.Close()
}

// look looks at a proxy that is silent.
func (k *watcher) look(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	w := k.watched[id]
	if w == nil {
		return
	}
	identity := w.handle.Identity()
	if !identity.Stopped() {
		w.stopped = 0
		w.timer.Reset(silence)
		return
	}
	w.stopped++
	w.timer.Reset(secondLook)
	switch w.stopped {
	case 1: // it may go on by itself
	case 2:
		slog.Error("proxy is stopped by a signal; waking it", "pid", identity.PID)
		w.signal(unix.SIGCONT)
	default:
		slog.Error("proxy is stopped by a signal; killing it so that another can serve", "pid", identity.PID)
		w.signal(unix.SIGKILL)
		w.stopped = 0
		w.timer.Reset(silence) // unless it dies
	}
}

func (w *watched) signal(sig unix.Signal) {
	if err := w.handle.Signal(sig); err != nil {
		slog.Error("could not signal the proxy", "pid", w.handle.Identity().PID, "signal", unix.SignalName(sig), "err", err)
	}
}

// close forgets all, and watches no proxy from then on.
func (k *watcher) close() {
	k.mu.Lock()
	k.closed = true
	for id := range k.watched {
		k.forget(id)
	}
	k.mu.Unlock()
	k.waiting.Wait()
}
