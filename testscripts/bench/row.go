package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// A row is one kind of work that several servers do, the last one ours.
type row struct {
	name, title string

	// unit of the numbers, and how they are printed.
	unit, format string

	// want is what GET / answers; see server.check.
	want string

	// path is what the load asks for, / if it is empty, with the headers.
	path    string
	headers []string

	// traffic, if set, is the load instead of wrk.
	traffic func(ctx context.Context, s *server, duration time.Duration) (rate, error)

	// paced says that the load comes at a constant rate, half of what the slowest of
	// the servers can answer, in many short rounds, of which the calm half counts.
	paced bool

	// processes is how many of them answer /pid, 0 if there is no such path.
	processes int

	// value is the number of interest of a sample.
	value func(sample) float64

	// remark, if set, says more of a contestant's samples.
	remark func([]sample) string

	// less says that a smaller number is the better one.
	less bool

	// idle says that the servers are measured without load, worked that they
	// have had one before.
	idle, worked bool

	// limit is what ours may be at most, 0 for no limit.
	limit float64

	// upstream, if set, runs beside the servers, which get its directory.
	upstream func(dir string) (command, error)

	contestants []contestant
}

// A contestant is one server of a row.
type contestant struct {
	name string

	// start returns the command that serves on the port of 127.0.0.1 until
	// SIGTERM, with dir for its files. It may write there.
	start func(l *lab, s site) (command, error)

	// secure says that it speaks TLS.
	secure bool

	// programs are names of the processes whose cost counts; without any, all
	// that belong to the server count.
	programs []string

	// target is the ratio of our number to this one that is to be reached, 0
	// for none.
	target float64

	// control says that it is the last contestant once more: how far the ratio is
	// from 1 is how far that of the others may be by chance.
	control bool

	// connections is how many wrk opens, if it is not the usual number, and
	// crowd how many more are open meanwhile and ask nothing.
	connections, crowd int

	// value is that of the row if nil.
	value func(sample) float64

	// look, if set, reads the number from the server instead.
	look func(context.Context, *server) (float64, error)
}

// A site is where a contestant serves.
type site struct {
	port     string
	scheme   string // of ours, before the address to listen on: "tls:" or empty
	dir      string
	upstream string // directory of the row's upstream
}

// A sample is one measurement.
type sample struct {
	rate
	cost // the CPU is that of the measurement
}

// A result is all that was measured of a contestant.
type result struct {
	contestant
	values  []float64
	cpu     []float64 // µs per request of the processes that count, if there was a load
	samples []sample
}

// median is 0 if there is nothing.
func median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	if len(v) == 0 {
		return 0
	}
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// measure starts all servers of the row, then measures one after the other,
// round after round. The results are those until the error, if there is one.
func (r row) measure(ctx context.Context, l *lab) ([]result, error) {
	var upstream string
	if r.upstream != nil {
		s, dir, err := r.startUpstream(l)
		if err != nil {
			return nil, err
		}
		defer s.stop()
		upstream = dir
	}
	var servers []*server
	defer func() {
		for _, s := range slices.Backward(servers) {
			s.stop()
		}
	}()
	results := make([]result, len(r.contestants))
	for i, c := range r.contestants {
		results[i].contestant = c
		s, err := c.run(l, upstream)
		if err != nil {
			return results, err
		}
		servers = append(servers, s)
		if err := s.ready(ctx, r.want, r.processes); err != nil {
			return results, err
		}
		conns, err := s.openCrowd(c.crowd, idleConnection)
		defer closeAll(conns)
		if err != nil {
			return results, err
		}
	}
	if err := r.warmUp(ctx, l, servers); err != nil {
		return results, err
	}
	rounds, length := l.rounds, l.load.duration
	if r.paced {
		most, err := slowest(ctx, l, servers)
		if err != nil {
			return results, err
		}
		r.traffic = constantRate(max(1, int(most/2)), pacedConnections)
		rounds, length = rounds*pacedRounds, max(time.Second, length/pacedRounds)
		defer func() { calm(results) }()
	}
	for range rounds {
		for i, s := range servers {
			m, err := r.sample(ctx, l, s, results[i].contestant, length)
			if err != nil {
				return results, err
			}
			v, err := r.number(ctx, s, results[i].contestant, m)
			if err != nil {
				return results, err
			}
			results[i].values = append(results[i].values, v)
			results[i].samples = append(results[i].samples, m)
			if !r.idle {
				results[i].cpu = append(results[i].cpu, microsecondsPerRequest(m))
			}
		}
	}
	return results, nil
}

// number is the one of interest.
func (r row) number(ctx context.Context, s *server, c contestant, m sample) (float64, error) {
	switch {
	case c.look != nil:
		return c.look(ctx, s)
	case c.value != nil:
		return c.value(m), nil
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
		return nil, fmt.Errorf("%s: %w", c.name, err)
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

// pacedRounds are made of one where rounds are to be short.
const pacedRounds = 5

const (
	warmUpTime = 2 * time.Second
	idleTime   = 10 * time.Second // what the start left to do is done by then
)

// warmUp loads every server shortly, and leaves those alone for longer that are
// measured idle.
func (r row) warmUp(ctx context.Context, l *lab, servers []*server) error {
	for i, s := range servers {
		if r.idle && !r.worked {
			break
		}
		if _, err := r.load(ctx, l, s, r.contestants[i], warmUpTime); err != nil {
			return fmt.Errorf("%s, while warming up: %w", s.name, err)
		}
	}
	if !r.idle {
		return nil
	}
	select {
	case <-time.After(idleTime):
	case <-ctx.Done():
	}
	return ctx.Err()
}

// load is the row's.
func (r row) load(ctx context.Context, l *lab, s *server, c contestant, duration time.Duration) (rate, error) {
	if r.traffic != nil {
		return r.traffic(ctx, s, duration)
	}
	wrk := l.load
	if c.connections > 0 {
		wrk.connections = c.connections
	}
	return wrk.run(ctx, s.url+cmp.Or(r.path, "/"), duration, r.headers...)
}

// sample measures once. The server must answer as it should before and after.
func (r row) sample(ctx context.Context, l *lab, s *server, c contestant, length time.Duration) (m sample, err error) {
	if r.idle {
		if m.cost = costOf(s.pids(), c.programs...); m.pss == 0 {
			return m, fmt.Errorf("%s: no process of it was found", s.name)
		}
		return m, s.check(ctx, r.want)
	}
	before := costOf(s.pids(), c.programs...)
	if m.rate, err = r.load(ctx, l, s, c, length); err != nil {
		return m, fmt.Errorf("%s: %w", s.name, err)
	}
	m.cost = costOf(s.pids(), c.programs...)
	m.cpu -= before.cpu
	if m.cpu <= 0 {
		return m, fmt.Errorf("%s: no process of it was found", s.name)
	}
	return m, s.check(ctx, r.want)
}
