// Package limits bounds what one client, and all clients together, may ask of an
// app: how many requests a second, and how many at once.
//
// A [Limiter] is one app's, and lives as long as the app. Its rates are kept by the
// generic cell rate algorithm (ITU-T I.371): of each client it needs one time and one
// count, 24 bytes, in a table of a fixed size. golang.org/x/time/rate needs an
// object of five times that for each client, and a map that someone has to sweep; a
// request here allocates nothing.
package limits

import (
	"math"
	"net/netip"
	"sync/atomic"
	"time"

	"passenger/lib/loglimit"
	"passenger/lib/protocol"
)

// A Kind is one of the limits, by its setting.
type Kind uint8

const (
	None Kind = iota
	ClientConcurrency
	ClientRate
	Concurrency
	Rate
	kinds
)

// Names are the settings of the kinds.
var Names = [kinds]string{ClientConcurrency: "client_request_concurrency", ClientRate: "client_request_rate", Concurrency: "request_concurrency", Rate: "request_rate"}

// A Limiter counts the requests of an app. The zero value limits nothing; see
// [Limiter.Apply].
type Limiter struct {
	// Refused counts the requests over each limit.
	Refused [kinds]atomic.Uint64

	// Complained bounds what the log is told of them.
	Complained loglimit.Limiter

	settings atomic.Pointer[settings]
	rate     atomic.Int64 // see bucket
	busy     atomic.Int64
	clients  atomic.Pointer[table]
}

// settings are what a route says. 0 is no limit.
type settings struct {
	client, all         pace
	clientBusy, allBusy int64
}

// Apply takes over what a route says, and returns nil if that is no limit. Requests
// that are under way keep their places.
func (l *Limiter) Apply(r *protocol.Serving) *Limiter {
	s := &settings{
		client: newPace(r.ClientRequestRate, r.ClientRequestBurst), all: newPace(r.RequestRate, r.RequestBurst),
		clientBusy: int64(r.ClientRequestConcurrency), allBusy: int64(r.RequestConcurrency),
	}
	if *s == (settings{}) {
		l.clients.Store(nil) // what is under way has its own pointer to it
		return nil
	}
	if s.client.step == 0 && s.clientBusy == 0 {
		l.clients.Store(nil)
	} else if l.clients.Load() == nil {
		l.clients.Store(new(table))
	}
	l.settings.Store(s)
	return l
}

// A Pace is a rate: the time between two requests, and how far those that come at
// once may run ahead of it, both in nanoseconds. The zero Pace is no limit.
type pace struct{ step, ahead int64 }

// newPace is that of so many requests a second. A burst of 0 is as many as come in a
// second.
func newPace(rate float64, burst int) pace {
	if rate <= 0 {
		return pace{}
	}
	if burst == 0 {
		burst = int(math.Ceil(rate))
	}
	step := float64(time.Second) / rate
	return pace{max(int64(step), 1), int64(math.Min(step*float64(burst-1), math.MaxInt64/4))}
}

// next is when the bucket of the pace is empty again, if a request at now is let
// in; wait says how long it had to wait for that, 0 if it is. full is when the bucket
// was to be, which may have been by another pace.
func (p pace) next(full, now int64) (empty, wait int64) {
	empty = min(max(full, now), now+p.ahead+p.step)
	if wait = empty - now - p.ahead; wait > 0 {
		return empty, wait
	}
	return empty + p.step, 0
}

// A Place is what a request holds that was let in. The zero Place holds nothing.
type Place struct {
	limiter *Limiter
	set     *set
	client  *client
}

// Leave gives the place back.
func (p *Place) Leave() {
	if p.limiter == nil {
		return
	}
	p.limiter.busy.Add(-1)
	if p.client != nil {
		p.set.mu.Lock()
		p.client.busy--
		p.set.mu.Unlock()
	}
	*p = Place{}
}

// Enter lets a request in that a client made at now, which is in nanoseconds since any
// moment, the same each time. If it is over a limit, over names that, and wait is when
// the client may try again. Clients without an address have no limits of their own.
func (l *Limiter) Enter(from netip.Addr, now int64) (p Place, over Kind, wait time.Duration) {
	s := l.settings.Load()
	var set *set
	var c *client
	if t := l.clients.Load(); t != nil && from.IsValid() {
		set, c = t.find(from)
		var late int64
		over, late = c.enter(s, now)
		set.mu.Unlock()
		if over != None {
			return p, l.refuse(over), time.Duration(late)
		}
	}
	if over, late := l.enter(s, now); over != None {
		if c != nil {
			set.mu.Lock()
			c.busy--
			c.rate -= s.client.step
			set.mu.Unlock()
		}
		return p, l.refuse(over), time.Duration(late)
	}
	return Place{l, set, c}, None, 0
}

func (l *Limiter) refuse(k Kind) Kind {
	l.Refused[k].Add(1)
	return k
}

// enter counts a request for all clients together.
func (l *Limiter) enter(s *settings, now int64) (over Kind, late int64) {
	if n := l.busy.Add(1); s.allBusy > 0 && n > s.allBusy {
		l.busy.Add(-1)
		return Concurrency, int64(time.Second)
	}
	for s.all.step > 0 {
		full := l.rate.Load()
		empty, wait := s.all.next(full, now)
		if !l.rate.CompareAndSwap(full, empty) {
			continue
		}
		if wait > 0 {
			l.busy.Add(-1)
			return Rate, wait
		}
		break
	}
	return None, 0
}
