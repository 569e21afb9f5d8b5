package proxy

import (
	"time"

	"passenger/lib/http1"
	"passenger/lib/proxy/wire"
)

const (
	// idlePatience is how long a connection keeps its goroutine between two
	// requests: parking costs as much as a short request.
	idlePatience = 2 * time.Second

	// newPatience is how long it keeps it before the first one, after the first one,
	// which is the only one of most, and after it was parked. A crowd that connects
	// at once would have as many goroutines, and the runtime keeps half a KB of each
	// that ever was.
	newPatience = 200 * time.Millisecond
)

// mayPark says whether c may leave its goroutine: not at the end, when it has
// not long to wait.
func (c *client) mayPark() bool {
	return c.watch != nil && c.proxy.quiet != nil && !c.proxy.draining.Load()
}

// run serves the client, and parks it whenever it is quiet: between requests, and
// while a head comes in parts. It belongs to proxy.clients until it is closed.
func (c *client) run() {
	quiet, tunnel := c.serve()
	if tunnel != nil {
		c.proxy.clients.Go(func() { c.carry(tunnel) })
	}
	if quiet {
		if c.park() == nil {
			return
		}
		c.Close()
	}
	c.proxy.clients.Done()
}

// park leaves c to the kernel, which wakes it, and to the clock, which does when
// its time is over. If it fails c is not parked.
func (c *client) park() error {
	c.WaitUntil(c.waitBy)
	if err := c.proxy.quiet.Add(c, &c.space, c.watch); err != nil {
		return err
	}
	c.proxy.crowd.Join()
	if c.ReadExpired() || c.proxy.draining.Load() {
		c.Wake() // the clock, or the end, came before it was parked
	}
	return nil
}

// Sleep parks a client whose tunnel is quiet; see tunnel.Bed.
func (c *client) Sleep(by int64, wake func()) bool {
	c.waitBy, c.wake = by, wake
	return c.mayPark() && c.park() == nil
}

// Attend gathers what came of a head, in part, and wakes c, which was parked,
// for all else: the head's end, so much that it may be too long, another
// request, the end of the connection.
func (c *client) Attend(part []byte) {
	n := 0
	if s := c.Socket(); c.head != nil && s != nil && !c.proxy.draining.Load() {
		n = s.ReadNow(part[:wire.Small-len(c.head)%wire.Small]) // who wakes learns the rest
	}
	if n > 0 {
		c.head = append(c.head, part[:n]...)
		if len(c.head)%wire.Small != 0 && !http1.EndsHead(c.head, n) && c.park() == nil {
			return
		}
	}
	c.resume()
}

// Wake gives a client that is parked a goroutine again, and says whether it
// did. It may be called from any goroutine and at any time.
func (c *client) Wake() bool {
	if !c.space.Leave() {
		return false
	}
	c.resume()
	return true
}

// resume is for who ended its being parked.
func (c *client) resume() {
	go func() {
		c.proxy.quiet.Forget(&c.space)
		if c.EndRead() != nil {
			c.Rearm()
		}
		if wake := c.wake; wake != nil {
			c.wake = nil
			wake()
			return
		}
		c.run()
	}()
}
