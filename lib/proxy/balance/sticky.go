package balance

import (
	"fmt"
	"hash/fnv"
)

// StickyID names a process in cookies. Every proxy makes the same of it, and
// it tells a client nothing.
func StickyID(processID string) string {
	h := fnv.New32a()
	h.Write([]byte(processID))
	return fmt.Sprintf("%08x", h.Sum32())
}

// pickFor returns a free process for w: the one that it had before, if that
// serves still. A busy one is waited for; one that is dead or stuck is not.
func (a *App) pickFor(w *Waiter) *Process {
	if w.Alone {
		return a.pickAlone()
	}
	if len(w.Wanted) > 0 {
		for _, p := range a.processes {
			if string(w.Wanted) != p.Cookie || p.draining || p.refused || p.hung() {
				continue
			}
			if a.paused != "" || !p.free() {
				return nil
			}
			return p
		}
	}
	return a.pick(w)
}
