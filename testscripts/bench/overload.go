package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

const (
	overloadPatience = time.Second // of a client
	overloadService  = 20 * time.Millisecond
	overloadShortest = 5 * time.Second // for as many answers as a percentile needs
)

// overloadRows offer so many times what the app can answer.
func overloadRows() (rows []row) {
	for _, offered := range []float64{0.8, 1.1, 1.5, 3} {
		rows = append(rows, row{
			name: fmt.Sprintf("overload-%g", offered), title: fmt.Sprintf("Rack, 20 ms, 2 processes, %g × capacity: answered in 1 s", offered),
			unit: "% of capacity", format: "%.1f", want: hello, processes: 2, value: percentInTime, remark: remarkOverload, extra: overloadFigures,
			traffic: overload(offered), limit: 95, once: true,
			contestants: []contestant{
				{name: "nginx before Puma -w 2 -t 1:1", start: nginxPuma("rack-20ms", 2)},
				{name: "ours, max_request_queue_size 100", start: oursLogged("rack-20ms-100", 2)},
				{name: "ours", start: oursLogged("rack-20ms", 2)},
			},
		})
	}
	return rows
}

// percentInTime is of the capacity, or of what was offered if that is less.
func percentInTime(s sample) float64 { return 100 * s.perSecond / min(s.offered, s.capacity) }

// overload measures what the server can answer to clients that wait as long as it
// takes, which 20 ms are not for a busy machine, and then offers so many times that.
func overload(factor float64) traffic {
	v := visitors{
		request:  "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
		patience: overloadPatience, before: 8 * time.Second, after: overloadPatience,
	}
	return func(ctx context.Context, s *server, duration time.Duration) (r rate, err error) {
		capacity, answers := v.capacity(ctx, s)
		if answers == 0 {
			return r, fmt.Errorf("no answer in %v", v.patience)
		}
		if _, err := s.refusals(); err != nil { // those until now
			return r, err
		}
		if r, err = v.come(factor*capacity)(ctx, s, max(duration, overloadShortest)); err != nil {
			return r, err
		}
		shed, err := s.refusals()
		r.capacity, r.shed = capacity, percentile(shed, 99)
		r.requests += answers
		return r, err
	}
}

// overloadFigures are the times that ours takes at overload.
func overloadFigures(results []result) []figure {
	last := results[len(results)-1]
	list := []figure{{name: "median of the answers in time", unit: "ms", format: "%.1f", limit: 3 * milliseconds(overloadService),
		value: milliseconds(middleOf(last.samples, func(m sample) time.Duration { return m.median }))}}
	for _, r := range results {
		if shed := middleOf(r.samples, func(m sample) time.Duration { return m.shed }); shed > 0 {
			list = append(list, figure{name: r.name + ": 503, from the end of its wait until it is sent, 99 %", unit: "ms", format: "%.2f", limit: 5, value: milliseconds(shed)})
		}
	}
	return list
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

// middleOf is the median of something of the samples.
func middleOf(samples []sample, of func(sample) time.Duration) time.Duration {
	var all []time.Duration
	for _, m := range samples {
		all = append(all, of(m))
	}
	return medianOf(all)
}

// remarkOverload says how soon answers and refusals came.
func remarkOverload(samples []sample) string {
	samples = slices.SortedFunc(slices.Values(samples), func(a, b sample) int { return cmp.Compare(a.refused, b.refused) })
	m := samples[len(samples)/2]
	of := func(of func(sample) time.Duration) time.Duration {
		return middleOf(samples, of).Round(100 * time.Microsecond)
	}
	text := fmt.Sprintf("of %.0f/s that come %.0f are answered, of %.0f; median %v", m.offered, m.perSecond, m.capacity, of(func(m sample) time.Duration { return m.median }))
	if n := m.refused; n > 0 {
		text += fmt.Sprintf("; %.0f refused a second, half of them in %v, the last in %v", n,
			of(func(m sample) time.Duration { return m.refusal }), of(func(m sample) time.Duration { return m.lastRefusal }))
	}
	return text
}
