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

// paced is the load of the latency row.
var paced = &pacing{
	most: func(ctx context.Context, l *lab, s *server) (float64, error) {
		r, err := l.load.run(ctx, s.url+"/", warmUpTime)
		return r.perSecond, err
	},
	share: 0.5, load: constantRate, split: 5, shortest: 500 * time.Millisecond,
}

// constantRate asks so often, whatever the answers take: each of the
// connections has its own moments to ask at, and an answer's time counts from
// the moment at which its request was due. A server that stalls so makes all
// late that were due meanwhile, as it would its users.
func constantRate(perSecond float64) traffic {
	return func(ctx context.Context, s *server, duration time.Duration) (rate, error) {
		var (
			wg    sync.WaitGroup
			paces = make([]pace, pacedConnections)
			errs  = make([]error, pacedConnections)
			pause = time.Duration(pacedConnections / perSecond * float64(time.Second))
			began = time.Now().Add(10 * time.Millisecond)
		)
		for i := range pacedConnections {
			first := began.Add(pause * time.Duration(i) / pacedConnections)
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

// remarkLateness says how often the load asked, and which rounds count.
func remarkLateness(samples []sample) string {
	var perSecond []float64
	for _, m := range samples {
		perSecond = append(perSecond, m.perSecond)
	}
	return fmt.Sprintf("at %.0f requests/s; ", median(perSecond)) + remarkCalm(samples)
}
