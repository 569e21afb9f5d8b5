package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Visitors are clients as people are: they come at random moments, each on a
// connection of its own, and leave when their patience is over.
type visitors struct {
	request  string // what each sends
	patience time.Duration
	before   time.Duration // until it counts what they get, when what waits is as much as it will be
	after    time.Duration // for which others come behind those that count
}

// A visit is what one of them got.
type visit struct {
	status int // 0 if it left before an answer
	took   time.Duration
	late   time.Duration // that we were, with its request
}

const (
	capacityClients = 8
	capacityTime    = 2 * time.Second
)

// capacity is how many requests a second the server answers to a few clients that
// wait for each answer and ask again, and how many those were.
func (v visitors) capacity(ctx context.Context, s *server) (perSecond float64, answers int) {
	var wg sync.WaitGroup
	began, count := time.Now(), make([]int, capacityClients)
	for i := range count {
		wg.Go(func() {
			for time.Since(began) < capacityTime && ctx.Err() == nil {
				if v.visit(s, time.Now()).status == http.StatusOK {
					count[i]++
				}
			}
		})
	}
	wg.Wait()
	for _, n := range count {
		answers += n
	}
	return float64(answers) / time.Since(began).Seconds(), answers
}

// come has so many a second come on average, at moments that are the same in each
// round.
func (v visitors) come(perSecond float64) traffic {
	return func(ctx context.Context, s *server, duration time.Duration) (r rate, err error) {
		var (
			wg     sync.WaitGroup
			mu     sync.Mutex // guards all and those that count
			all    []visit
			count  []visit
			random = rand.New(rand.NewPCG(1, 2))
			began  = time.Now()
		)
		for at := time.Duration(0); at < v.before+duration+v.after && ctx.Err() == nil; {
			at += time.Duration(random.ExpFloat64() / perSecond * float64(time.Second))
			due := began.Add(at)
			time.Sleep(time.Until(due))
			wg.Go(func() {
				got := v.visit(s, due)
				mu.Lock()
				defer mu.Unlock()
				all = append(all, got)
				if at >= v.before && at < v.before+duration {
					count = append(count, got)
				}
			})
		}
		wg.Wait()
		if ctx.Err() != nil {
			return rate{}, context.Cause(ctx)
		}
		if r, err = v.rateOf(count, duration); err != nil {
			return r, err
		}
		for _, got := range all {
			if got.status == http.StatusOK {
				r.requests++
			}
		}
		return r, nil
	}
}

// visit is one client that was due at a moment.
func (v visitors) visit(s *server, due time.Time) (got visit) {
	got.late = time.Since(due)
	d := net.Dialer{Deadline: due.Add(v.patience)}
	c, err := d.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		return got
	}
	defer c.Close()
	_ = c.SetDeadline(d.Deadline) // it is a socket
	if _, err := io.WriteString(c, v.request); err != nil {
		return got
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return got
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return got
	}
	got.status, got.took = r.StatusCode, time.Since(due)
	return got
}

// rateOf counts the answers in time; they must be the app's, or refusals. To who got
// none it took as long as the patience lasts.
func (v visitors) rateOf(visits []visit, duration time.Duration) (r rate, err error) {
	var answers, refusals, all, late []time.Duration
	for _, got := range visits {
		late = append(late, got.late)
		switch got.status {
		case http.StatusOK:
			answers = append(answers, got.took)
			all = append(all, got.took)
			continue
		case 0:
		case http.StatusServiceUnavailable, http.StatusBadGateway: // nginx's, when Puma takes no connection
			refusals = append(refusals, got.took)
		default:
			return r, fmt.Errorf("it answers with status %d", got.status)
		}
		all = append(all, v.patience)
	}
	r.offered, r.perSecond = float64(len(visits))/duration.Seconds(), float64(len(answers))/duration.Seconds()
	r.median, r.p99, r.late = medianOf(answers), percentile(all, 99), percentile(late, 99)
	r.refused, r.refusal = float64(len(refusals))/duration.Seconds(), medianOf(refusals)
	if len(answers) == 0 {
		r.median = v.patience
	}
	if len(refusals) > 0 {
		r.lastRefusal = slices.Max(refusals)
	}
	return r, nil
}

// medianOf is 0 if there is nothing.
func medianOf(d []time.Duration) time.Duration {
	slices.Sort(d)
	if len(d) == 0 {
		return 0
	}
	return d[len(d)/2]
}
