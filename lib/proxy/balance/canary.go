package balance

import (
	"fmt"
	"strconv"

	"passenger/lib/protocol"
)

// A canary is a generation that gets a share of the clients; the zero one is none.
type canary struct {
	generation int
	share      float64
	due        float64 // of a client: at 1 the next one is the canary's
	cookies    [2]string
}

// A side is the canary or the other processes.
type side int8

const (
	neither  side = iota // not decided, or there is no canary
	ofCanary             // the canary's
	ofOthers
)

// apply takes over what a table says.
func (c *canary) apply(r *protocol.Canary) {
	switch {
	case r == nil:
		*c = canary{}
	case r.Generation != c.generation:
		*c = canary{generation: r.Generation, share: r.Share, cookies: sideCookies(r.Generation)}
	default:
		c.share = r.Share
	}
}

// sideCookies are what clients of the canary and of the others get. They end with
// the canary: those of another mean nothing to it.
func sideCookies(generation int) (cookies [2]string) {
	for i, of := range []string{"canary ", "others "} {
		cookies[i] = StickyID(of + strconv.Itoa(generation))
	}
	return cookies
}

// of is the side of a process.
func (c *canary) of(p *Process) side { return sideOf(p, c.generation) }

func sideOf(p *Process, generation int) side {
	if p.generation == generation {
		return ofCanary
	}
	return ofOthers
}

// A CanaryCookie says how clients keep the generation that they had while a canary
// has some of them. The zero one has none.
type CanaryCookie struct {
	Sticky
	generation int
	cookies    [2]string
}

// canaryCookie is its name.
const canaryCookie = "_passenger_canary"

// NewCanaryCookie is that of an app at base, without a slash at its end.
func NewCanaryCookie(r *protocol.Route, base string) CanaryCookie {
	if r.Canary == nil || !r.Canary.Sticky {
		return CanaryCookie{}
	}
	if base == "" {
		base = "/"
	}
	return CanaryCookie{
		Sticky{[]byte(canaryCookie), fmt.Appendf(nil, "; Path=%s; %s\r\n", base, stickyAttributes)}, r.Canary.Generation, sideCookies(r.Canary.Generation),
	}
}

// AppendTo appends the line that has the client keep p's generation.
func (c *CanaryCookie) AppendTo(b []byte, p *Process) []byte {
	return c.appendLine(b, c.cookies[sideOf(p, c.generation)-ofCanary])
}

// Begin prepares w for a request. upgrade says that it asks for another protocol.
func (w *Waiter) Begin(upgrade bool) {
	w.Wanted, w.Canary, w.side, w.Upgrade = nil, nil, neither, upgrade
}

// sideOf is which side the request gets: that of its cookie, else one by the
// canary's share, evenly. That is decided once.
func (a *App) sideOf(w *Waiter) side {
	c := &a.canary
	if w.side != neither {
		return w.side
	}
	switch string(w.Canary) {
	case c.cookies[0]:
		w.side = ofCanary
	case c.cookies[1]:
		w.side = ofOthers
	default:
		w.side = ofOthers
		if c.due += c.share; c.due >= 1 {
			c.due--
			w.side = ofCanary
		}
	}
	return w.side
}

// pickSide is pick among the processes of the request's side. The others take what
// the canary cannot; the canary takes what is not its own only where there are no
// others.
func (a *App) pickSide(w *Waiter) *Process {
	mine := a.sideOf(w)
	var best, spare *Process
	others := false
	for _, p := range a.processes {
		of := a.canary.of(p)
		others = others || of == ofOthers && p.serves()
		if !p.free() || p == a.held || w.Upgrade && a.laden(p) {
			continue
		}
		if of != mine {
			if spare == nil || p.before(spare) {
				spare = p
			}
		} else if best == nil || p.before(best) {
			best = p
		}
	}
	if best == nil && (mine == ofCanary || !others) {
		return spare
	}
	return best
}
