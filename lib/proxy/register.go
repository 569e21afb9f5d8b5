package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/proxy/balance"
)

// SecureHeaders say how those of a web server in front are used. They are read
// on the listeners of secure-headers: addresses.
type SecureHeaders struct {
	// Pool is told of apps that are not known yet; nil to refuse them, so that
	// a web server may choose among the known ones by their names only.
	Pool *control.Client

	// Password is what the block of secure headers begins with; empty if there
	// need be no block.
	Password string
}

// A registrar knows the apps of the groups, and has the pool add the others.
type registrar struct {
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

	// lookWhileWaiting is how often it is seen whether their clients are there.
	lookWhileWaiting = 200 * time.Millisecond
)

func newRegistrar() *registrar {
	r := &registrar{adding: map[string]*addition{}, changed: make(chan struct{})}
	r.groups.Store(&map[string]*group{})
	return r
}

// tableCame wakes those who wait for a new route table.
func (r *registrar) tableCame() {
	r.mu.Lock()
	close(r.changed)
	r.changed = make(chan struct{})
	r.mu.Unlock()
}

// remember makes an app that of a group.
func (r *registrar) remember(name string, g *group) {
	r.mu.Lock()
	defer r.mu.Unlock()
	groups := maps.Clone(*r.groups.Load())
	groups[name] = g
	r.groups.Store(&groups)
}

// Why a web server in front gets no app.
var (
	errUnknownApp = errors.New("secure headers may add no app")
	errPoolDown   = errors.New("the pool is down")
	errBadApp     = errors.New("the app was refused")
)

// choose finds the app that a web server in front asks for, nil if it asks for
// none. A request of a known app costs a look into two maps.
func (x *exchange) choose() (*mount, error) {
	p, h := x.client.proxy, x.client.headers
	if err := h.read(&x.req, p.SecureHeaders.Password); err != nil {
		return nil, err
	}
	var space [256]byte
	name := x.appendGroup(space[:0])
	if len(name) == 0 {
		return nil, nil
	}
	if p.SecureHeaders.Pool == nil && h.configures() {
		return nil, errUnknownApp
	}
	if g := (*p.registrar.groups.Load())[string(name)]; g != nil {
		if m := p.index.Load().byName[g.app]; m != nil {
			if g.digest != h.digest(x) && g.warned.CompareAndSwap(false, true) {
				slog.Warn("web server gives an app other settings than first; those count until it is removed or the proxy is replaced", "app", g.app)
			}
			return m, x.checkBase(m)
		}
	}
	m, err := x.join(string(name))
	if err != nil {
		return nil, err
	}
	return m, x.checkBase(m)
}

// checkBase refuses a path that is not the app's: its base URI is cut off.
func (x *exchange) checkBase(m *mount) error {
	path, n := x.req.Path, len(m.base)
	if len(path) < n || string(path[:n]) != m.base || n > 0 && len(path) > n && path[n] != '/' {
		return badSecure("the app is at %q, where the path %q is not", m.base, path)
	}
	return nil
}

// join makes the group of a name known, and waits until its app is.
func (x *exchange) join(name string) (*mount, error) {
	p, h := x.client.proxy, x.client.headers
	g := &group{app: appNameOf(name), digest: h.digest(x)}
	if !h.configures() {
		m := p.index.Load().byName[name]
		if m == nil {
			return nil, errUnknownApp
		}
		g.app = name
		p.registrar.remember(name, g)
		return m, nil
	}
	config, err := x.config(g.app)
	if err != nil {
		return nil, badSecure("%v", err)
	}
	if m := p.index.Load().byName[g.app]; m != nil {
		// It is from before this proxy was started. It serves at once, with
		// what the web server says now from its next restart on.
		p.registrar.remember(name, g)
		p.clients.Go(func() { _ = p.add(name, g, config) }) // the log tells
		return m, nil
	}
	return x.await(name, g, config)
}

// await has the app added, and waits for the route table that has it, no longer
// than in the app's queue.
func (x *exchange) await(name string, g *group, config map[string]any) (*mount, error) {
	p := x.client.proxy
	if !p.registrar.enter() {
		return nil, balance.ErrQueueFull
	}
	defer p.registrar.leave()
	if err := p.add(name, g, config); err != nil {
		return nil, err
	}
	limit := balance.DefaultQueueTime
	if s, ok := config["max_request_queue_time"].(float64); ok && s > 0 {
		limit = seconds(s)
	}
	x.beginProbe()
	for by := x.began.Add(limit); ; {
		changed := p.registrar.nextTable()
		if m := p.index.Load().byName[g.app]; m != nil {
			return m, nil
		}
		left := time.Until(by)
		if left <= 0 {
			return nil, balance.ErrQueueTime
		}
		look := time.NewTimer(min(left, lookWhileWaiting))
		select {
		case <-changed:
		case <-look.C:
		}
		look.Stop()
		if x.waiter.Probe.Look(p.clock.Now.Load()) {
			return nil, balance.ErrGone
		}
		if p.clock.Ending.Load() {
			return nil, errStopping
		}
	}
}

// enter counts a request that waits, if there is room for it.
func (r *registrar) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting >= maxWaiting {
		return false
	}
	r.waiting++
	return true
}

func (r *registrar) leave() {
	r.mu.Lock()
	r.waiting--
	r.mu.Unlock()
}

// nextTable is closed when a route table comes after this call.
func (r *registrar) nextTable() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// add tells the pool of the app of a group. Several that come at once make one
// call.
func (p *Proxy) add(name string, g *group, config map[string]any) error {
	r := p.registrar
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
	err := p.SecureHeaders.Pool.Call(ctx, http.MethodPut, protocol.PathApps+"/"+g.app, config, nil)
	var refused *protocol.Error
	switch {
	case err == nil:
		slog.Info("app added for a web server", "app", g.app, "group", name)
		r.remember(name, g)
	case errors.As(err, &refused):
		slog.Error("app of a web server refused by the pool", "app", g.app, "group", name, "err", err)
		a.err = fmt.Errorf("%w: %v", errBadApp, err)
	default:
		slog.Error("app of a web server not added", "app", g.app, "group", name, "err", err)
		a.err = fmt.Errorf("%w: %v", errPoolDown, err)
	}
	close(a.done)
	r.forget(name, a.err != nil)
	return a.err
}

// forget lets the group be added again, after a failure in a while.
func (r *registrar) forget(name string, failed bool) {
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

// route finds the app that the request is for. done says that it was answered
// instead.
func (x *exchange) route() (done, again bool) {
	if x.client.headers != nil {
		m, err := x.choose()
		if err != nil {
			return true, x.notChosen(err)
		}
		x.mount = m
	}
	if x.mount == nil {
		x.mount = x.client.proxy.index.Load().find(x.req.Host, x.req.Path)
	}
	if x.mount == nil {
		return true, x.noApp()
	}
	return false, false
}

// notChosen answers a request whose app could not be found by secure headers.
func (x *exchange) notChosen(err error) bool {
	x.leaveBody()
	switch {
	case errors.Is(err, errUnknownApp):
		return x.fail(403, "The web server asks for an application that is not known here, or for settings of one, and may add none.")
	case errors.Is(err, errPoolDown):
		return x.page(page{Status: 503, Message: "The application is not known yet, and the pool, which would start it, is down.", retry: 1})
	case errors.Is(err, errBadApp):
		return x.fail(500, "The web server's settings for this application were refused; the proxy's log says why.")
	case errors.Is(err, balance.ErrQueueFull):
		return x.page(page{Status: 503, Message: "Too many requests wait for applications to become known.", retry: 1})
	case errors.Is(err, balance.ErrQueueTime):
		return x.fail(504, "The application was not known in time.")
	case errors.Is(err, errStopping):
		return x.page(page{Status: 503, Message: "The server is going away.", retry: 1})
	}
	return x.refuse(err)
}
