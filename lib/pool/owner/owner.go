// Package owner runs a pool: one goroutine owns it, and around it is all that
// its decisions need and cause, the spawner, the proxies, files and callers.
package owner

import (
	"context"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"passenger/lib/bug"
	"passenger/lib/control"
	"passenger/lib/pool"
	"passenger/lib/protocol"
)

// An Owner runs one pool. Make it with [New], then Run it.
type Owner struct {
	spawner Spawner
	files   Files
	pool    *pool.Pool // of the goroutine in Run
	routes  control.Feed[*protocol.Routes]
	written *protocol.Routes     // of the goroutine in persist
	texts   texts                // of the goroutine in persist
	kept    map[string]order     // of the goroutine in persist: what Keep has, nil before the first write
	onDisk  control.Feed[uint64] // version of the table in the file

	// events are done in turn by the goroutine in Run. The buffer only spares
	// senders a switch.
	events chan func(now time.Time)

	configuring sync.Mutex // held while settings change, on disk and in the pool
	hooks       hooks
	catalog     catalog // guarded by configuring
	claims      claims  // guarded by configuring
	refused     refusals
	work        sync.WaitGroup // spawns, stops and writes
	proxies     watcher        // of the proxies
	ends        ends           // of restarts

	ended chan struct{} // closed when no event is done any more

	// Callers that wait, by app: of the goroutine in Run. Each channel has room
	// for the one answer.
	restarting map[string][]chan<- pool.Outcome
	removing   map[string][]chan<- error
}

// Files are where the settings of apps are, and where the pool keeps what it
// needs after a restart.
type Files struct {
	Routes string   // the last route table
	Added  string   // directory of apps added at run time
	Fixed  string   // directory of apps that the administrator wrote; empty for none
	Keep   Keep     // of what commands set
	Named  []string // directories of apps named when the pool was started

	// Settings go over those of the named apps: "key=value".
	Settings []string

	// Variable is the environment variable that Settings come from, empty if it
	// is the command line.
	Variable string
}

// Hooks are shell commands by the event that they are run on, one of
// protocol's.
type Hooks map[string][]string

// New makes an Owner of a pool that goes on from the last route table, with
// the apps in the files. A named app that cannot be used is an error unless
// processes run to come back to; any other is logged, so that one bad file
// does not stop all apps.
func New(spawner Spawner, files Files, limits pool.Limits, commands Hooks) (*Owner, error) {
	o := &Owner{
		spawner: spawner, files: files, events: make(chan func(time.Time), 16), catalog: catalog{}, claims: claims{},
		restarting: map[string][]chan<- pool.Outcome{}, removing: map[string][]chan<- error{},
		ended: make(chan struct{}), hooks: hooks{commands: commands, limit: hookTime, events: make(chan protocol.Event, mostEvents)},
	}
	o.proxies.died = func(id string) {
		slog.Warn("proxy died", "proxy", id)
		o.tell(context.Background(), func(now time.Time) { o.pool.Reported(now, id, protocol.ProxyReport{Leaving: true}) })
	}
	if err := files.Keep.make(); err != nil {
		return nil, fmt.Errorf("directory of what commands set: %w", err)
	}
	orders := files.restore()
	last := lastRoutes(files.Routes)
	o.written = last
	if o.written == nil {
		o.written = &protocol.Routes{Apps: []*protocol.Route{}}
	}
	o.routes.Set(o.written)
	o.onDisk.Set(o.written.Version)
	chance := pool.Chance{ID: newID, Jitter: mathrand.Float64}
	o.pool = pool.New(time.Now(), limits, chance, last)
	if err := o.load(); err != nil {
		return o, err
	}
	o.obey(orders)
	return o, nil
}

// Run owns the pool until ctx ends. Processes go on without it.
func (o *Owner) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { bug.Outlive(ctx, func() { o.follow(ctx) }) })
	wg.Go(func() { bug.Outlive(ctx, func() { o.persist(ctx) }) })
	wg.Go(func() { bug.Outlive(ctx, func() { o.measure(ctx) }) })
	wg.Go(func() { bug.Outlive(ctx, func() { o.watchFiles(ctx) }) })
	wg.Go(func() { bug.Outlive(ctx, func() { o.hooks.run(ctx) }) })
	o.loop(ctx)
	close(o.ended)
	o.proxies.close()
	wg.Wait()
	o.work.Wait()
	o.write()
}

func (o *Owner) loop(ctx context.Context) {
	wake := time.NewTimer(0)
	defer wake.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-o.events:
			happen(event)
		case <-wake.C:
		}
		if pause, again := o.decide(ctx); again {
			wake.Reset(pause)
		} else {
			wake.Stop()
		}
	}
}

// happen does an event. A bug in it ends the event, and not the pool.
func happen(event func(now time.Time)) {
	defer bug.Caught(nil)
	event(time.Now())
}

// decide has the pool decide and carries that out. It says when to decide
// again at the latest; after a bug a moment later.
func (o *Owner) decide(ctx context.Context) (pause time.Duration, again bool) {
	defer bug.Caught(func() { pause, again = bugPause, true })
	now := time.Now()
	d := o.pool.Decide(now)
	o.do(ctx, d)
	return max(d.Wake.Sub(now), time.Millisecond), !d.Wake.IsZero()
}

// bugPause is how long after a bug in a decision the pool decides again.
const bugPause = time.Second

// tell has an event done. It does not wait for it, and drops it if ctx ends.
func (o *Owner) tell(ctx context.Context, event func(now time.Time)) {
	select {
	case o.events <- event:
	case <-ctx.Done():
	case <-o.ended:
	}
}

// ask has an event done and waits for it. An error means that it was not done
// and will not be, so what it writes can be read in any case.
func (o *Owner) ask(ctx context.Context, event func(now time.Time)) error {
	done := make(chan struct{})
	var taken atomic.Bool // by the event, or by this call, which gave up
	o.tell(ctx, func(now time.Time) {
		if taken.CompareAndSwap(false, true) {
			defer close(done)
			event(now)
		}
	})
	var err error
	select {
	case <-done:
		return nil
	case <-o.ended:
		err = errStopping
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if taken.CompareAndSwap(false, true) {
		return err
	}
	<-done // it is under way
	return nil
}

var errStopping = &protocol.Error{Code: protocol.CodeStopping, Message: "the pool is stopping"}

// do carries out a decision without waiting for anything.
func (o *Owner) do(ctx context.Context, d pool.Decision) {
	if d.Routes != nil {
		o.routes.Set(d.Routes)
	}
	for _, r := range d.Start {
		o.work.Go(func() { o.spawn(ctx, r) })
	}
	for _, stop := range d.Stop {
		o.work.Go(func() { o.stop(ctx, stop) })
	}
	for _, c := range d.Check {
		o.work.Go(func() { o.check(ctx, c) })
	}
	for _, c := range d.Clear {
		o.work.Go(func() { o.clear(ctx, c) })
	}
	for _, r := range d.Work {
		o.work.Go(func() { o.workOutOfBand(ctx, r) })
	}
	for _, id := range d.Promote {
		o.work.Go(func() { o.promote(ctx, id) })
	}
	for _, e := range d.Events {
		o.hooks.add(e)
	}
	for _, outcome := range d.Restarts {
		o.ends.add(outcome)
		for _, c := range o.restarting[outcome.App] {
			c <- outcome
		}
		delete(o.restarting, outcome.App)
	}
	for _, name := range d.Removed {
		o.ends.forget(name)
		for _, c := range o.removing[name] {
			c <- nil
		}
		delete(o.removing, name)
		for _, c := range o.restarting[name] {
			close(c)
		}
		delete(o.restarting, name)
	}
}
