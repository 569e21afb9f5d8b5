package main

import "slices"

const hello = "hello world\n"

// rows is the table.
func rows() []row {
	return slices.Concat(proxyRows(), staticRows(), compressRows(), appRows(), pageRows(), overloadRows())
}

// appRows are those with an app behind all four programs.
func appRows() []row {
	return []row{
		{
			name: "rack", title: "Rack hello, 2 processes",
			unit: "requests/s", format: "%.0f", want: hello, processes: 2, value: requestsPerSecond,
			contestants: []contestant{
				{name: "Passenger 6, builtin engine", start: passenger6("rack", 2), target: 2},
				{name: "Puma -w 2 -t 5:5", start: puma(2), target: 1.1},
				{name: "ours", start: ours("rack", 2)},
			},
		},
		{
			name: "wsgi", title: "WSGI hello, 2 processes",
			unit: "requests/s", format: "%.0f", want: hello, processes: 2, value: requestsPerSecond,
			contestants: []contestant{
				{name: "Passenger 6, builtin engine", start: passenger6("wsgi", 2), target: 2},
				{name: "Gunicorn, sync", start: gunicorn(2, "--worker-class", "sync"), target: 2},
				{name: "Gunicorn, gthread, 4 threads", start: gunicorn(2, "--worker-class", "gthread", "--threads", "4", "--keep-alive", "60"), target: 2},
				{name: "uWSGI, http-socket", start: uwsgi(2), target: 2},
				{name: "ours", start: ours("wsgi", 2)},
			},
		},
		{
			name: "asgi", title: "ASGI hello, 2 processes",
			unit: "requests/s", format: "%.0f", want: hello, processes: 2, value: requestsPerSecond,
			contestants: []contestant{
				{name: "uvicorn --workers 2", start: uvicorn(2)},
				{name: "ours, with uvicorn inside", start: ours("asgi", 2)},
			},
		},
		{
			name: "node", title: "Node http hello, 1 process",
			unit: "requests/s", format: "%.0f", want: hello, processes: 1, value: requestsPerSecond,
			contestants: []contestant{
				{name: "Passenger 6, builtin engine", start: passenger6("node", 1), target: 2},
				{name: "node alone", start: bareNode},
				{name: "ours", start: ours("node", 1)},
			},
		},
		{
			name: "rails", title: "Rails page, 4 processes",
			unit: "requests/s", format: "%.0f", want: "Hello from Rails", processes: 4, value: requestsPerSecond,
			contestants: []contestant{
				{name: "Passenger 6, builtin engine", start: passenger6("rails", 4), target: 1},
				{name: "ours", start: ours("rails", 4)},
			},
		},
		{
			name: "spawn", title: "One more Rails process, of 4, once the first is there",
			unit: "ms", format: "%.1f", less: true, idle: true, want: "Hello from Rails", processes: 4, limit: 20, value: pssMegabytes,
			contestants: []contestant{
				{name: "Passenger 6, smart spawning", start: passenger6("rails", 4), look: passengerSpawns},
				{name: "ours", start: ours("rails", 4), look: ourSpawns},
			},
		},
		{
			name: "workers", title: "Memory of a Rails process, of 4, after requests, PSS",
			unit: "MB", format: "%.1f", less: true, idle: true, worked: true, want: "Hello from Rails", processes: 4, value: quarterOfPSS,
			contestants: []contestant{
				{name: "Passenger 6, smart spawning", start: passenger6("rails", 4), programs: []string{"Passenger RubyApp"}, target: 0.9},
				{name: "ours, with warm_up_requests", start: ours("rails-warm", 4), programs: []string{"passenger: app"}},
				{name: "ours", start: ours("rails", 4), programs: []string{"passenger: app"}},
			},
		},
		{
			name: "memory", title: "Memory of the daemons, idle, with 2 Rack processes",
			unit: "MB", format: "%.1f", less: true, idle: true, want: hello, processes: 2, limit: 26, value: pssMegabytes,
			contestants: []contestant{
				{name: "Passenger 6, watchdog and core, RSS", start: passenger6("rack", 2), programs: []string{"Passenger watchdog", "Passenger core"}, value: rssMegabytes},
				{name: "Passenger 6, watchdog and core, PSS", start: passenger6("rack", 2), programs: []string{"Passenger watchdog", "Passenger core"}},
				{name: "ours, spawner, pool and proxy, PSS", start: ours("rack", 2), programs: []string{"passenger-spawn", "passenger-pool", "passenger-proxy"}},
			},
		},
	}
}

func rowNames() []string {
	var names []string
	for _, r := range rows() {
		names = append(names, r.name)
	}
	return slices.Compact(names)
}

func requestsPerSecond(s sample) float64 { return s.perSecond }

func microsecondsPerRequest(s sample) float64 {
	return float64(s.cpu.Nanoseconds()) / 1e3 / float64(s.requests)
}

func quarterOfPSS(s sample) float64 { return pssMegabytes(s) / 4 }
func pssMegabytes(s sample) float64 { return float64(s.pss) / 1e6 }
func rssMegabytes(s sample) float64 { return float64(s.rss) / 1e6 }
