package balance

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/proxy/files"
	"passenger/lib/proxy/wire"
)

// A presence is a client's connection of which only one thing is known: whether
// the client is there.
type presence struct {
	net.Conn
	gone atomic.Bool
}

func (p *presence) Gone() bool   { return p.gone.Load() }
func (p *presence) Close() error { return nil }

// A guest is a request, and its client.
type guest struct {
	*Waiter
	name string
	conn *presence
	on   *Process
	err  error
}

// A queueWorld is an app whose clock runs, in a bubble of synctest.
type queueWorld struct {
	*App
	clock  *wire.Clock
	route  protocol.Route
	places int // in the queue, if the route has none

	mu    sync.Mutex // guards the rest
	found []string   // what became of guests since it was asked for last
}

// inQueueWorld calls f with an app of so many processes, which each take so many
// sessions.
func inQueueWorld(t *testing.T, processes, concurrency int, f func(w *queueWorld)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &queueWorld{places: 2048}
		w.App = New("app", func() {}, func(int) int { return w.places }, nil)
		w.clock = wire.NewClock(200*time.Millisecond, func(now int64) { w.Sweep(now) })
		w.route.QueueOpen = true
		for i := range processes {
			w.route.Processes = append(w.route.Processes, protocol.RouteProcess{ID: string(rune('1' + i)), Concurrency: concurrency})
		}
		w.apply()
		ctx, cancel := context.WithCancel(t.Context())
		var clock sync.WaitGroup
		clock.Go(func() { w.clock.Run(ctx) })
		f(w)
		w.Stop(errors.New("over"))
		cancel()
		clock.Wait()
	})
}

// apply has the app take over the route.
func (w *queueWorld) apply() {
	w.Apply(&w.route, func(*protocol.RouteProcess) *files.Sendfile { return nil })
}

// newWaiter is a request that comes now, over a connection, from an address, which
// may be the zero one.
func newWaiter(k *wire.Clock, c *presence, from netip.Addr) *Waiter {
	w := &Waiter{Answered: make(chan struct{}, 1), From: func() netip.Addr { return from }, Since: k.After(0)}
	w.Probe.Conn = &wire.Conn{}
	w.Probe.Conn.OpenStream(c, k)
	return w
}

// guest is that with a name.
func (w *queueWorld) guest(name string, from netip.Addr) *guest {
	g := &guest{name: name, conn: &presence{}}
	g.Waiter = newWaiter(w.clock, g.conn, from)
	return g
}

// ask gets g a process, unless it is refused or leaves.
func (w *queueWorld) ask(g *guest, retried bool) {
	g.on, _, g.err = w.Acquire(g.Waiter, retried)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.found = append(w.found, g.name+words[g.err])
}

var words = map[error]string{ErrCutOff: "!cut", ErrQueueFull: "!full", ErrQueueTime: "!time", ErrGone: "!gone", ErrPaused: "!paused"}

// news is what became of guests since it was called last.
func (w *queueWorld) news() []string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	found := w.found
	w.found = nil
	slices.Sort(found)
	return found
}
