package proxy

import (
	"cmp"
	"log/slog"
	"slices"

	"passenger/lib/proxy/wire"
)

// mostEvicted is how many idle clients are closed at once for others, and
// leastShare which part of the idle ones at most: each may be about to ask for
// something, so that no more go than are needed for a while.
const (
	mostEvicted = 32
	leastShare  = 8
)

// An idler is a client that is parked between two requests.
type idler struct {
	client *client
	until  int64 // it may be idle, in the clock's time: what has waited longest comes first
}

// makeRoom closes the clients that are idle for longest, because descriptors run
// short, and says whether it closed some. Only a client that asked for nothing
// is idle. If there are none it has those parked that have just fallen idle, and
// asks idle clients of HTTP/2 to leave: a later call finds them gone.
func (p *Proxy) makeRoom() bool {
	if !p.descriptors.Clearing.TryLock() {
		return false // another is at it
	}
	defer p.descriptors.Clearing.Unlock()
	var idle []idler
	now := p.clock.Now.Load()
	p.clock.Each(func(c *wire.Conn) {
		if k := clientOf(c); k != nil && k.resting.Load() && k.space.Taken() {
			idle = append(idle, idler{k, c.WaitsUntil()})
		}
	})
	slices.SortFunc(idle, func(a, b idler) int { return cmp.Compare(a.until, b.until) })
	want, closed := min(mostEvicted, len(idle)/leastShare+1), 0
	for _, i := range idle {
		if closed == want {
			break
		}
		if i.client.evict() {
			closed++
		}
	}
	if closed > 0 {
		p.evicted.Add(uint64(closed))
		if p.descriptors.Evicting.Due() {
			slog.Warn("idle clients are closed for others: three quarters of the descriptors are in use", "closed_total", p.evicted.Load(), "hint", "raise the limit of open files")
		}
		return true
	}
	p.clock.Each(func(c *wire.Conn) {
		if k := clientOf(c); k != nil && k.mayPark() {
			k.part(now)
		}
	})
	p.http2.shed(mostEvicted)
	return false
}

// evict closes a client that is parked, unless something has come of it.
func (c *client) evict() bool {
	if !c.space.Leave() {
		return false
	}
	if c.proxy.draining.Load() || !c.resting.Load() || wire.HasNews(c.watch) {
		c.resume()
		return false
	}
	c.proxy.quiet.Forget(&c.space)
	c.Close()
	c.proxy.clients.Done()
	return true
}
