package spawn

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"passenger/lib/bug"
	"passenger/lib/protocol"
	"passenger/lib/spawn/fork"
	"passenger/lib/spawn/notify"
	"passenger/lib/spawn/plan"
	"passenger/lib/spawn/process"
)

// An origin is a process that can be promoted: it forks a clone of itself that
// becomes its generation's preloader. What the process's requests have touched
// by then is shared by all that are forked later.
type origin struct {
	*process.Process
	control *net.UnixConn // its gate, which stays open
	plan    *plan.Plan

	turn sync.Mutex // held for one request
}

// fork sends one request and waits for its reply: the process answers between
// two of its own requests.
func (o *origin) fork(ctx context.Context, id string, files []*os.File) error {
	o.turn.Lock()
	defer o.turn.Unlock()
	return fork.Ask(ctx, o.control, id, files)
}

// origins are all origins, by their processes. The zero value has none.
type origins struct {
	mu sync.Mutex // guards of
	of map[*process.Process]*origin
}

// add notes by what a process can be promoted.
func (os *origins) add(o *origin) {
	os.mu.Lock()
	defer os.mu.Unlock()
	if r := o.Snapshot(); r.State == protocol.Exited {
		o.control.Close()
		return
	}
	if os.of == nil {
		os.of = map[*process.Process]*origin{}
	}
	os.of[o.Process] = o
}

// drop gives up what a process that has ended could be promoted by.
func (os *origins) drop(p *process.Process) {
	os.mu.Lock()
	defer os.mu.Unlock()
	if o := os.of[p]; o != nil {
		o.control.Close()
		delete(os.of, p)
	}
}

// find returns by what the process can be promoted, nil if it cannot.
func (os *origins) find(p *process.Process) *origin {
	os.mu.Lock()
	defer os.mu.Unlock()
	if p.Snapshot().State != protocol.Ready {
		return nil
	}
	return os.of[p]
}

// Promote has a process fork a preloader, which takes the place of its
// generation's. The process serves on. The error is [ErrUnknown], a
// *protocol.Error if the process cannot be promoted, or a
// *protocol.SpawnError, and all is as before then.
func (s *Spawner) Promote(ctx context.Context, id string) (protocol.Preloader, error) {
	p := s.find(id)
	if p == nil {
		return protocol.Preloader{}, fmt.Errorf("process %q: %w", id, ErrUnknown)
	}
	o := s.origins.find(p)
	if o == nil {
		return protocol.Preloader{}, &protocol.Error{
			Code: protocol.CodeConflict, Message: fmt.Sprintf("process %q cannot be promoted", id),
			Hint: "it has to be ready, forked from a preloader by this spawner, and its app to have refork_after",
		}
	}
	r := p.Snapshot()
	g, leave := s.generationOf(r.App, r.Generation)
	if g == nil {
		return protocol.Preloader{}, errHeld
	}
	defer leave()
	ours, theirs, err := fork.Pair()
	if err != nil {
		return protocol.Preloader{}, err
	}
	defer theirs.Close()
	config := o.plan.Config
	a := &attempt{
		s: s, plan: o.plan.Preloading(), endpoint: theirs, noticed: make(chan notify.Notice, 4),
		req: protocol.SpawnRequest{ID: strings.ToLower(rand.Text()[:12]), App: r.App, Generation: r.Generation, Config: &config},
	}
	if err := s.registerPreloader(a, ours, id); err != nil {
		ours.Close()
		return protocol.Preloader{}, err
	}
	if err := a.promote(ctx, o); err != nil {
		ours.Close()
		s.forgetPreloader(a.preloader)
		return protocol.Preloader{}, err
	}
	l := a.preloaderReady()
	g.replace(l)
	slog.Info("process promoted", "app", r.App, "pid", r.PID, "generation", r.Generation, "preloader", l.Snapshot().PID)
	return l.describe(), nil
}

// promote makes the attempt's process by a fork of o.
func (a *attempt) promote(ctx context.Context, o *origin) error {
	a.began = time.Now()
	err := a.phase(ctx, protocol.PhasePrepare, a.prepare)
	if err == nil {
		err = a.limited(ctx, protocol.PhaseFork, func(ctx context.Context) error { return a.fork(ctx, o) })
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, fork.ErrLost) {
		err = fmt.Errorf("the process was not promoted: %w", err)
	}
	return a.explain(err)
}

// replace makes l the generation's preloader, and ends the one before.
func (g *generation) replace(l *preloader) {
	b := &boot{done: make(chan struct{}), preloader: l}
	close(b.done)
	g.mu.Lock()
	before := g.boot
	g.boot = b
	g.mu.Unlock()
	if before == nil {
		return
	}
	bug.Go(func() {
		<-before.done // it may still be booting
		if before.preloader != nil {
			before.preloader.end()
		}
	})
}
