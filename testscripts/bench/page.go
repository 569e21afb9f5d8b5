package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	pageProcesses = 2
	pageLoad      = 0.7 // of what the server can answer
)

// pageRows are of an application as there are many, whose visitors come at random
// moments. All servers have two processes that take one request at a time, and get
// the same part of what each of them can answer.
func pageRows() []row {
	page := func(name, language string, contestants ...contestant) row {
		return row{
			name: name, title: fmt.Sprintf("%s page, 5 ms CPU + 20 ms I/O, 20 kB, cookies, %.0f %% load: 99th percentile", language, 100*pageLoad),
			unit: "ms", format: "%.1f", less: true, want: hello, path: "/page", headers: browserHeaders, processes: pageProcesses,
			value: p99Milliseconds, remark: remarkPage, traffic: overload(pageLoad, pageVisit()),
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

// pageVisit is what a browser sends that was there before.
func pageVisit() string {
	headers := slices.Concat([]string{"GET /page HTTP/1.1", "Host: localhost"}, browserHeaders)
	return strings.Join(headers, "\r\n") + "\r\n\r\n"
}

// remarkPage says what is to be known beside the slowest answers.
func remarkPage(samples []sample) string {
	var medians []time.Duration
	var memory, answered, offered, most []float64
	for _, m := range samples {
		medians = append(medians, m.median)
		memory, answered, offered = append(memory, pssMegabytes(m)), append(answered, m.perSecond), append(offered, m.offered)
	}
	return fmt.Sprintf("median %v; %.1f of %.1f/s answered within %v, of at most %.1f; %.0f MB PSS, all processes",
		medianOf(medians).Round(100*time.Microsecond), median(answered), median(offered), overloadPatience, median(most), median(memory))
}
