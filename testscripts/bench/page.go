package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	pageProcesses = 2
	pageLoad      = 0.7 // of what the slowest server can answer
)

// pageRows are of an application as there are many, whose visitors come at random
// moments. All servers have two processes that take one request at a time, and get
// the same visitors.
func pageRows() []row {
	page := func(name, language string, contestants ...contestant) row {
		return row{
			name: name, title: fmt.Sprintf("%s page, 5 ms CPU + 20 ms I/O, 20 kB, cookies, %.0f %% load: 99th percentile", language, 100*pageLoad),
			unit: "ms", format: "%.1f", less: true, want: hello, path: "/page", headers: browserHeaders, processes: pageProcesses,
			value: p99Milliseconds, remark: remarkPage, pacing: pageVisitors, rounds: 4,
			contestants: contestants,
		}
	}
	return []row{
		page("page-rack", "Rack",
			contestant{name: "Passenger 6, builtin engine", start: passenger6("rack-page", pageProcesses), target: 1},
			contestant{name: "nginx before Puma -w 2 -t 1:1", start: nginxPuma("rack-page", pageProcesses), target: 1},
			contestant{name: "ours", start: ours("rack-page", pageProcesses)}),
		page("page-wsgi", "WSGI",
			contestant{name: "Passenger 6, builtin engine", start: passenger6("wsgi-page", pageProcesses), target: 1},
			contestant{name: "nginx before Gunicorn, sync", start: nginxGunicorn("wsgi-page", pageProcesses), target: 1},
			contestant{name: "ours", start: ours("wsgi-page", pageProcesses)}),
	}
}

// pageVisitors send what a browser sends that was there before.
var pageVisitors = func() *pacing {
	headers := slices.Concat([]string{"GET /page HTTP/1.1", "Host: localhost"}, browserHeaders)
	v := visitors{request: strings.Join(headers, "\r\n") + "\r\n\r\n", patience: 5 * time.Second, before: time.Second, after: time.Second}
	return &pacing{
		most: func(ctx context.Context, _ *lab, s *server) (float64, error) {
			v.capacity(ctx, s) // which warms it up
			most, answers := v.capacity(ctx, s)
			if answers == 0 {
				return 0, errors.New("no page in time")
			}
			return most, nil
		},
		share: pageLoad, load: v.come, split: 1, shortest: 5 * time.Second, bearable: 5 * time.Millisecond,
	}
}()

// remarkPage says what is to be known beside the slowest answers.
func remarkPage(samples []sample) string {
	var memory, answered, offered, most []float64
	for _, m := range samples {
		memory, answered, offered, most = append(memory, pssMegabytes(m)), append(answered, m.perSecond), append(offered, m.offered), append(most, m.capacity)
	}
	return fmt.Sprintf("median %v; %.1f of %.1f/s answered, where the slowest can %.1f; %.0f MB PSS, all processes; %s",
		middleOf(samples, func(m sample) time.Duration { return m.median }).Round(100*time.Microsecond),
		median(answered), median(offered), median(most), median(memory), remarkCalm(samples))
}
