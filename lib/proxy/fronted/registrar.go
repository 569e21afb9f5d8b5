package fronted

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"passenger/lib/control"
	"passenger/lib/http1"
	"passenger/lib/protocol"
	"passenger/lib/proxy/balance"
)

// A Config says how secure headers are used. They are read on the listeners of
// secure-headers: addresses.
type Config struct {
	// Pool is told of apps that are not known yet; nil to refuse them, so that
	// a web server may choose among the known ones by their names only.
	Pool *control.Client

	// Password is what the block of secure headers begins with; empty if there
	// need be no block.
	Password string
}

// A Registrar knows the apps of groups, and has the pool add those of new groups.
type Registrar struct {
	Config
	run    func(func())                      // starts a goroutine whose end the proxy awaits
	groups atomic.Pointer[map[string]*group] // never changed but as a whole

	mu      sync.Mutex // guards all below, and changing groups
	adding  map[string]*addition
	waiting int           // requests whose app is not in the table yet
	changed chan struct{} // closed when a new table is in use
}

// An addition is a call of the pool for one group.
type addition struct {
	done chan struct{} // closed when it is over
	err  error
}

const (
	// addTime bounds a call of the pool.
	addTime = 5 * time.Second

	// failedFor is how long a call that failed is the answer to others.
	failedFor = time.Second

	// maxWaiting is how many requests may wait for apps that are added.
	maxWaiting = 1000

	// lookWhileWaiting is how often they find out whether their clients are there.
	lookWhileWaiting = 200 * time.Millisecond
)

// NewRegistrar returns a registrar that knows no group. run starts a goroutine
// whose end the proxy awaits before it exits.
func NewRegistrar(c Config, run func(func())) *Registrar {
	r := &Registrar{Config: c, run: run, adding: map[string]*addition{}, changed: make(chan struct{})}
	r.groups.Store(&map[string]*group{})
	return r
}

// TableCame wakes the requests that wait for a new route table.
func (r *Registrar) TableCame() {
	r.mu.Lock()
	close(r.changed)
	r.changed = make(chan struct{})
	r.mu.Unlock()
}

// remember makes an app that of a group.
func (r *Registrar) remember(name string, g *group) {
	r.mu.Lock()
	defer r.mu.Unlock()
	groups := maps.Clone(*r.groups.Load())
	groups[name] = g
	r.groups.Store(&groups)
}

// Why a web server in front gets no app.
var (
	ErrUnknownApp = errors.New("secure headers may add no app")
	ErrPoolDown   = errors.New("the pool is down")
	ErrBadApp     = errors.New("the app was refused")
)

// A Request asks for an app by its secure headers.
type Request struct {
	Headers *Headers
	Head    *http1.Request
	Began   time.Time
}

// A Table is what a request asks of the proxy around it, on its own goroutine.
type Table struct {
	Known func(app string) bool // the app is in the route table
	Left  func() error          // why the request waits no longer, else nil
}

// Find returns the name of the app that a web server in front asks for, empty if
// it asks for none. It is the name that t.Known last said yes to. Errors are
// those above, balance.ErrQueueFull and ErrQueueTime, what t.Left returns, and an
// *http1.Error for headers that make no sense. A request for a known app costs a
// look into two maps.
func (r *Registrar) Find(q Request, t Table) (app string, err error) {
	h := q.Headers
	if err := h.Read(q.Head, r.Password); err != nil {
		return "", err
	}
	var space [256]byte
	name := h.appendGroup(space[:0], q.Head)
	if len(name) == 0 {
		return "", nil
	}
	if r.Pool == nil && h.configures() {
		return "", ErrUnknownApp
	}
	if g := (*r.groups.Load())[string(name)]; g != nil && t.Known(g.app) {
		if g.digest != h.digest(q.Head) && g.warned.CompareAndSwap(false, true) {
			slog.Warn("web server changes the settings of an app; the first ones count until the app is removed or the proxy is replaced", "app", g.app)
		}
		return g.app, nil
	}
	return r.join(q, t, string(name))
}

// CheckBase refuses a path that is not below the app's base URI, which is cut off.
func CheckBase(base string, path []byte) error {
	n := len(base)
	if len(path) < n || string(path[:n]) != base || n > 0 && len(path) > n && path[n] != '/' {
		return badSecure("the app is at %q, where the path %q is not", base, path)
	}
	return nil
}

// join makes the group of a name known, and waits until its app is.
func (r *Registrar) join(q Request, t Table, name string) (app string, err error) {
	g := &group{app: AppNameOf(name), digest: q.Headers.digest(q.Head)}
	if !q.Headers.configures() {
		if !t.Known(name) {
			return "", ErrUnknownApp
		}
		g.app = name
		r.remember(name, g)
		return name, nil
	}
	config, err := q.Headers.config(q.Head, g.app)
	if err != nil {
		return "", badSecure("%v", err)
	}
	if t.Known(g.app) {
		// It is from before this proxy was started. It serves at once, with
		// what the web server says now from its next restart on.
		r.remember(name, g)
		r.run(func() { _ = r.add(name, g, config) }) // the log tells
		return g.app, nil
	}
	return g.app, r.await(q, t, name, g, config)
}

// await has the app added, and waits for the route table that has it, no longer
// than in the app's queue.
func (r *Registrar) await(q Request, t Table, name string, g *group, config map[string]any) error {
	if !r.enter() {
		return balance.ErrQueueFull
	}
	defer r.leave()
	if err := r.add(name, g, config); err != nil {
		return err
	}
	limit := balance.DefaultQueueTime
	if s, ok := config["max_request_queue_time"].(float64); ok && s > 0 {
		limit = time.Duration(s * float64(time.Second))
	}
	for by := q.Began.Add(limit); ; {
		changed := r.nextTable()
		if t.Known(g.app) {
			return nil
		}
		left := time.Until(by)
		if left <= 0 {
			return balance.ErrQueueTime
		}
		look := time.NewTimer(min(left, lookWhileWaiting))
		select {
		case <-changed:
		case <-look.C:
		}
		look.Stop()
		if err := t.Left(); err != nil {
			return err
		}
	}
}

// Waits is how many requests wait for an app.
func (r *Registrar) Waits() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waiting
}

// enter counts a request that waits, if there is room for it.
func (r *Registrar) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting >= maxWaiting {
		return false
	}
	r.waiting++
	return true
}

func (r *Registrar) leave() {
	r.mu.Lock()
	r.waiting--
	r.mu.Unlock()
}

// nextTable is closed when a route table comes after this call.
func (r *Registrar) nextTable() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// add tells the pool of the app of a group. Requests that come at once share one
// call.
func (r *Registrar) add(name string, g *group, config map[string]any) error {
	r.mu.Lock()
	a := r.adding[name]
	if a != nil {
		r.mu.Unlock()
		<-a.done
		return a.err
	}
	a = &addition{done: make(chan struct{})}
	r.adding[name] = a
	r.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.Background(), addTime)
	defer cancel()
	err := r.Pool.Call(ctx, "PUT", protocol.PathApps+"/"+g.app, config, nil)
	var refused *protocol.Error
	switch {
	case err == nil:
		slog.Info("app added for a web server", "app", g.app, "group", name)
		r.remember(name, g)
	case errors.As(err, &refused):
		slog.Error("app of a web server refused by the pool", "app", g.app, "group", name, "err", err)
		a.err = fmt.Errorf("%w: %v", ErrBadApp, err)
	default:
		slog.Error("app of a web server not added", "app", g.app, "group", name, "err", err)
		a.err = fmt.Errorf("%w: %v", ErrPoolDown, err)
	}
	close(a.done)
	r.forget(name, a.err != nil)
	return a.err
}

// forget lets the group be added again, after a failure in a while.
func (r *Registrar) forget(name string, failed bool) {
	drop := func() {
		r.mu.Lock()
		delete(r.adding, name)
		r.mu.Unlock()
	}
	if failed {
		time.AfterFunc(failedFor, drop)
		return
	}
	drop()
}
