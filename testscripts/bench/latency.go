package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// pacedConnections are those of a constant rate.
const pacedConnections = 64

// slowest is how many requests a second the slowest of the servers can answer.
func slowest(ctx context.Context, l *lab, servers []*server) (perSecond float64, err error) {
	for _, s := range servers {
		r, err := l.load.run(ctx, s.url+"/", warmUpTime)
		if err != nil {
			return 0, fmt.Errorf("%s, while its most is looked for: %w", s.name, err)
		}
		if perSecond == 0 || r.perSecond < perSecond {
			perSecond = r.perSecond
		}
	}
	return perSecond, nil
}

// constantRate asks so often, whatever the answers take: each of the
// connections has its own moments to ask at, and an answer's time counts from
// the moment at which its request was due. A server that stalls so makes all
// late that were due meanwhile, as it would its users.
func constantRate(perSecond, connections int) func(context.Context, *server, time.Duration) (rate, error) {
	return func(ctx context.Context, s *server, duration time.Duration) (rate, error) {
		var (
			wg    sync.WaitGroup
			paces = make([]pace, connections)
			errs  = make([]error, connections)
			pause = time.Second * time.Duration(connections) / time.Duration(perSecond)
			began = time.Now().Add(10 * time.Millisecond)
		)
		for i := range connections {
			first := began.Add(pause * time.Duration(i) / time.Duration(connections))
			wg.Go(func() { errs[i] = paces[i].ask(ctx, s, first, pause, began.Add(duration)) })
		}
		wg.Wait()
		var took, late []time.Duration
		for i, p := range paces {
			if errs[i] != nil {
				return rate{}, errs[i]
			}
			took, late = append(took, p.took...), append(late, p.late...)
		}
		if len(took) == 0 {
			return rate{}, fmt.Errorf("no answer in %v", duration)
		}
		return rate{
			requests: len(took), perSecond: float64(len(took)) / duration.Seconds(),
			p99: percentile(took, 99), late: percentile(late, 99),
		}, nil
	}
}

// percentile is 0 if there is nothing.
func percentile(d []time.Duration, percent int) time.Duration {
	slices.Sort(d)
	if len(d) == 0 {
		return 0
	}
	return d[len(d)*percent/100]
}

// A pace is what one connection saw.
type pace struct {
	took []time.Duration // of answers, since their requests were due
	late []time.Duration // how late we ourselves were to ask, where no answer was waited for
}

// ask asks at each moment from first to end on one connection.
func (p *pace) ask(ctx context.Context, s *server, first time.Time, pause time.Duration, end time.Time) error {
	c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		return err
	}
	defer c.Close()
	in := bufio.NewReader(c)
	for due := first; due.Before(end) && ctx.Err() == nil; due = due.Add(pause) {
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
			p.late = append(p.late, time.Since(due))
		}
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			return err
		}
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return err
		}
		if r.StatusCode != http.StatusOK {
			return fmt.Errorf("it answers %s", r.Status)
		}
		p.took = append(p.took, time.Since(due))
	}
	return ctx.Err()
}

// calm leaves the half of the rounds in which we ourselves were least late, in
// front of whichever server: in the others the machine was busy with something
// else, and what they measured is that.
func calm(results []result) {
	rounds := len(results[0].samples)
	late := make([]time.Duration, rounds)
	for _, r := range results {
		rounds = min(rounds, len(r.samples))
		for i := range rounds {
			late[i] = max(late[i], r.samples[i].late)
		}
	}
	late = late[:rounds]
	limit := percentile(slices.Clone(late), 50)
	for i := range results {
		r := &results[i]
		var values, cpu []float64
		var samples []sample
		for n := range late {
			if late[n] <= limit {
				values, cpu, samples = append(values, r.values[n]), append(cpu, r.cpu[n]), append(samples, r.samples[n])
			}
		}
		r.values, r.cpu, r.samples = values, cpu, samples
	}
}

// remarkLateness says how late the load itself was.
func remarkLateness(samples []sample) string {
	var late, all []time.Duration
	var perSecond []float64
	for _, m := range samples {
		late, all, perSecond = append(late, m.late), append(all, m.p99), append(perSecond, m.perSecond)
	}
	return fmt.Sprintf("at %.0f requests/s, in the %d calmest rounds; the load itself was late by %v (99th percentile)",
		median(perSecond), len(all), medianOf(late).Round(10*time.Microsecond))
}
