package main

import (
	"bufio"
	"cmp"
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

const (
	overloadPatience = time.Second // of a client
	overloadClients  = 8           // that show the capacity, for so long
	overloadShown    = 2 * time.Second
	overloadBefore   = 8 * time.Second // until what waits is as much as it will be
)

// overloadRows offer so many times what the app can answer.
func overloadRows() (rows []row) {
	for _, offered := range []float64{0.8, 1.1, 1.5, 3} {
		rows = append(rows, row{
			name: "overload", title: fmt.Sprintf("Rack, 20 ms, 2 processes, %g × capacity: in 1 s", offered),
			unit: "% of that", format: "%.1f", want: hello, processes: 2, value: percentInTime, remark: remarkOverload,
			traffic: overload(offered, overloadVisit), limit: 95,
			contestants: []contestant{
				{name: "nginx before Puma -w 2 -t 1:1", start: nginxPuma("rack-20ms", 2)},
				{name: "ours, max_request_queue_size 100", start: ours("rack-20ms-100", 2)},
				{name: "ours", start: ours("rack-20ms", 2)},
			},
		})
	}
	return rows
}

// percentInTime is of the capacity, or of what was offered if that is less.
func percentInTime(s sample) float64 { return 100 * s.perSecond / min(s.offered, s.capacity) }

// overload measures what the server can answer to clients that wait as long as it
// takes, which 20 ms are not for a busy machine, and then offers so many times that.
func overload(factor float64, request string) func(context.Context, *server, time.Duration) (rate, error) {
	return func(ctx context.Context, s *server, duration time.Duration) (rate, error) {
		began, count := time.Now(), make([]int, overloadClients)
		var wg sync.WaitGroup
		for i := range count {
			wg.Go(func() {
				for time.Since(began) < overloadShown {
					if v := s.visit(time.Now(), request); v.status == http.StatusOK {
						count[i]++
					}
				}
			})
		}
		wg.Wait()
		capacity := 0.0
		for _, n := range count {
			capacity += float64(n) / time.Since(began).Seconds()
		}
		r, err := randomRate(factor*capacity, request)(ctx, s, duration)
		r.capacity = capacity
		return r, err
	}
}

// A visit is what one client got.
type visit struct {
	status int // 0 if it left before an answer
	took   time.Duration
}

// randomRate has clients come at random moments, so many a second on average and
// the same in each round. Each has a connection of its own and leaves when its
// patience is over. What those got counts that came after the beginning, while
// others come until they have left.
func randomRate(perSecond float64, request string) func(context.Context, *server, time.Duration) (rate, error) {
	return func(ctx context.Context, s *server, duration time.Duration) (rate, error) {
		var (
			wg     sync.WaitGroup
			mu     sync.Mutex // guards visits
			visits []visit
			random = rand.New(rand.NewPCG(1, 2))
			began  = time.Now()
		)
		for at := time.Duration(0); at < overloadBefore+duration+overloadPatience && ctx.Err() == nil; {
			at += time.Duration(random.ExpFloat64() / perSecond * float64(time.Second))
			due := began.Add(at)
			time.Sleep(time.Until(due))
			wg.Go(func() {
				v := s.visit(due, request)
				if at < overloadBefore || at >= overloadBefore+duration {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				visits = append(visits, v)
			})
		}
		wg.Wait()
		if ctx.Err() != nil {
			return rate{}, context.Cause(ctx)
		}
		r, err := rateOf(visits, duration)
		r.offered = float64(len(visits)) / duration.Seconds()
		return r, err
	}
}

// overloadVisit is what a client sends.
const overloadVisit = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

// visit is one client that was due at a moment.
func (s *server) visit(due time.Time, request string) (v visit) {
	d := net.Dialer{Deadline: due.Add(overloadPatience)}
	c, err := d.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		return v
	}
	defer c.Close()
	_ = c.SetDeadline(d.Deadline) // it is a socket
	if _, err := io.WriteString(c, request); err != nil {
		return v
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return v
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return v
	}
	return visit{r.StatusCode, time.Since(due)}
}

// rateOf counts the answers in time; they must be the app's, or refusals.
func rateOf(visits []visit, duration time.Duration) (r rate, err error) {
	var answers, refusals []time.Duration
	for _, v := range visits {
		switch v.status {
		case 0:
		case http.StatusOK:
			answers = append(answers, v.took)
		case http.StatusServiceUnavailable, http.StatusBadGateway: // nginx's, when Puma takes no connection
			refusals = append(refusals, v.took)
		default:
			return r, fmt.Errorf("it answers with status %d", v.status)
		}
	}
	r.requests, r.perSecond, r.median = max(1, len(answers)), float64(len(answers))/duration.Seconds(), medianOf(answers)
	r.p99 = percentile(answers, 99)
	r.refused, r.refusal = float64(len(refusals))/duration.Seconds(), medianOf(refusals)
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

// remarkOverload says how soon answers and refusals came.
func remarkOverload(samples []sample) string {
	middle := func(of func(sample) time.Duration) time.Duration {
		var all []time.Duration
		for _, m := range samples {
			all = append(all, of(m))
		}
		return medianOf(all).Round(100 * time.Microsecond)
	}
	slices.SortFunc(samples, func(a, b sample) int { return cmp.Compare(a.refused, b.refused) })
	m := samples[len(samples)/2]
	text := fmt.Sprintf("of %.0f/s that come %.0f are answered, of %.0f; median %v", m.offered, m.perSecond, m.capacity, middle(func(m sample) time.Duration { return m.median }))
	if n := m.refused; n > 0 {
		text += fmt.Sprintf("; %.0f refused a second, in %v, the last in %v", n,
			middle(func(m sample) time.Duration { return m.refusal }), middle(func(m sample) time.Duration { return m.lastRefusal }))
	}
	return text
}
