package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// rowLimit is how long one row may take.
const rowLimit = 6 * time.Minute

// An impossible row is one that this machine has nothing for, which is no failure.
type impossible struct{ why string }

func (e *impossible) Error() string { return e.why }

// A runner is a contestant whose server runs, and its result.
type runner struct {
	*server
	*result
}

// measure starts all servers of the row, then measures one after the other,
// round after round. A contestant that fails has the reason in its result, and
// the others go on; the error is for what no contestant is to blame for.
func (r row) measure(ctx context.Context, l *lab) (results []result, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, rowLimit, fmt.Errorf("it took longer than %v", rowLimit))
	defer cancel()
	if r.possible != nil {
		if err := r.possible(ctx, l); err != nil {
			return nil, err
		}
	}
	var upstream string
	if r.upstream != nil {
		s, dir, err := r.startUpstream(l)
		if err != nil {
			return nil, err
		}
		defer s.stop()
		upstream = dir
	}
	results = make([]result, len(r.contestants))
	runners, stop := r.start(ctx, l, upstream, results)
	defer stop()
	r.warmUp(ctx, l, runners)
	rounds, length := l.rounds, l.load.duration
	if r.rounds > 0 {
		rounds = min(rounds, r.rounds)
	}
	if r.pacing != nil {
		r.traffic = r.pacing.traffic(ctx, l, runners)
		rounds, length = r.pacing.divide(rounds, length)
		defer func() { calm(results, r.pacing.bearable) }()
	}
	if r.once {
		rounds, length = 1, length*time.Duration(rounds)
	}
	for n := range rounds {
		r.round(ctx, l, runners, n, length)
	}
	for i := range results {
		if results[i].err == nil && len(results[i].values) == 0 {
			results[i].err = errors.New("there was no time for it")
		}
	}
	return results, context.Cause(ctx)
}

// start starts the servers, one after the other. stop ends them all.
func (r row) start(ctx context.Context, l *lab, upstream string, results []result) (runners []*runner, stop func()) {
	var crowds [][]net.Conn
	for i, c := range r.contestants {
		results[i].contestant = c
		s, err := c.run(l, upstream)
		if err != nil {
			results[i].err = err
			continue
		}
		u := &runner{s, &results[i]}
		runners = append(runners, u)
		if u.err = s.ready(ctx, r.want, r.processes); u.err != nil {
			continue
		}
		conns, err := s.openCrowd(c.crowd, idleConnection)
		u.err = err
		crowds = append(crowds, conns)
	}
	return runners, func() {
		for _, conns := range crowds {
			closeAll(conns)
		}
		var wg sync.WaitGroup
		for _, u := range runners {
			wg.Go(u.stop)
		}
		wg.Wait()
	}
}

// round measures each server once, every second round in the other order: what
// changes with time changes for all.
func (r row) round(ctx context.Context, l *lab, runners []*runner, n int, length time.Duration) {
	runners = slices.Clone(runners)
	if n%2 == 1 {
		slices.Reverse(runners)
	}
	var wg sync.WaitGroup
	for _, u := range runners {
		if u.err != nil || ctx.Err() != nil {
			continue
		}
		wg.Go(func() { u.err = r.add(ctx, l, u, length) })
		if !r.once {
			wg.Wait()
		}
	}
	wg.Wait()
}

// add adds a measurement to a result.
func (r row) add(ctx context.Context, l *lab, u *runner, length time.Duration) error {
	m, err := r.sample(ctx, l, u, length)
	if err != nil {
		return err
	}
	v, err := r.number(ctx, u, m)
	if err != nil {
		return err
	}
	u.values = append(u.values, v)
	u.samples = append(u.samples, m)
	if !r.idle {
		u.cpu = append(u.cpu, microsecondsPerRequest(m))
	}
	return nil
}

// number is the one of interest.
func (r row) number(ctx context.Context, u *runner, m sample) (float64, error) {
	switch {
	case u.look != nil:
		return u.look(ctx, u.server)
	case u.value != nil:
		return u.value(m), nil
	}
	return r.value(m), nil
}

func (r row) startUpstream(l *lab) (*server, string, error) {
	dir, err := l.mkdir()
	if err != nil {
		return nil, "", err
	}
	c, err := r.upstream(dir)
	if err != nil {
		return nil, "", err
	}
	s, err := l.start("upstream", dir, c)
	return s, dir, err
}

func (c contestant) run(l *lab, upstream string) (*server, error) {
	dir, err := l.mkdir()
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	cmd, err := c.start(l, site{port: port, dir: dir, upstream: upstream})
	if err != nil {
		return nil, err
	}
	s, err := l.start(c.name, dir, cmd)
	if err != nil {
		return nil, err
	}
	s.url = "http://127.0.0.1:" + port
	if c.secure {
		s.url = "https://127.0.0.1:" + port
	}
	return s, nil
}

const (
	warmUpTime = 2 * time.Second
	idleTime   = 10 * time.Second // what the start left to do is done by then
)

// warmUp loads every server shortly, and leaves those alone for longer that are
// measured idle.
func (r row) warmUp(ctx context.Context, l *lab, runners []*runner) {
	for _, u := range runners {
		if u.err != nil || r.pacing != nil || r.idle && !r.worked {
			continue
		}
		if _, err := r.load(ctx, l, u, warmUpTime); err != nil {
			u.err = fmt.Errorf("while warming up: %w", err)
		}
	}
	if !r.idle {
		return
	}
	select {
	case <-time.After(idleTime):
	case <-ctx.Done():
	}
}

// load is the row's.
func (r row) load(ctx context.Context, l *lab, u *runner, duration time.Duration) (rate, error) {
	if r.traffic != nil {
		return r.traffic(ctx, u.server, duration)
	}
	wrk := l.load
	if u.connections > 0 {
		wrk.connections = u.connections
	}
	return wrk.run(ctx, u.url+cmp.Or(r.path, "/"), duration, r.headers...)
}

// sample measures once. The server must answer as it should afterwards too, if it is
// to be measured again.
func (r row) sample(ctx context.Context, l *lab, u *runner, length time.Duration) (m sample, err error) {
	if r.idle {
		if m.cost = costOf(u.pids(), u.programs...); m.pss == 0 {
			return m, u.noProcess()
		}
		return m, u.check(ctx, r.want)
	}
	before := costOf(u.pids(), u.programs...)
	if m.rate, err = r.load(ctx, l, u, length); err != nil {
		return m, err
	}
	m.cost = costOf(u.pids(), u.programs...)
	m.cpu -= before.cpu
	if m.cpu <= 0 {
		return m, u.noProcess()
	}
	if r.once {
		return m, nil
	}
	return m, u.check(ctx, r.want)
}

func (u *runner) noProcess() error {
	if len(u.programs) == 0 {
		return errors.New("no process of it was found")
	}
	return fmt.Errorf("no process of it was found that is called %q", u.programs)
}
