package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
)

const hello = "hello world\n"

// rows is the table.
func rows() []row {
	return slices.Concat(proxyRows(), staticRows(), compressRows(), appRows(), railsRows(), memoryRows(), growthRows(), pageRows(), overloadRows())
}

// appRows are those with an app behind all four programs.
func appRows() []row {
	return []row{
		{
			name: "rack", title: "Rack hello, 2 processes",
			unit: "requests/s", format: "%.0f", want: hello, processes: 2, value: requestsPerSecond,
			contestants: []contestant{
				{name: "Passenger 6, builtin engine", start: passenger6("rack", 2), target: 2},
				{name: "Puma -w 2 -t 5:5", start: puma("rack", 2, "5:5"), target: 1.5},
				{name: "ours, the same again", start: ours("rack", 2), control: true},
				{name: "ours", start: ours("rack", 2)},
			},
		},
		{
			name: "wsgi", title: "WSGI hello, 2 processes",
			unit: "requests/s", format: "%.0f", want: hello, processes: 2, value: requestsPerSecond,
			contestants: []contestant{
				{name: "Passenger 6, builtin engine", start: passenger6("wsgi", 2), target: 2},
				{name: "Gunicorn, sync", start: gunicorn(2, "--worker-class", "sync"), target: 2},
				{name: "Gunicorn, gthread, 4 threads", start: gunicorn(2, "--worker-class", "gthread", "--threads", "4", "--keep-alive", "60"), target: 4},
				{name: "uWSGI, http-socket", start: uwsgi(2), target: 1.6},
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
				{name: "node alone", start: bareNode, target: 0.9},
				{name: floor, start: relayNode},
				{name: "ours", start: ours("node", 1)},
			},
		},
	}
}

// memoryRows are those of what is there whether somebody asks or not.
func memoryRows() []row {
	return []row{
		{
			name: "memory", title: "Memory of the daemons, idle, with 2 Rack processes",
			unit: "MB", format: "%.1f", less: true, idle: true, want: hello, processes: 2, limit: 20, value: pssMegabytes,
			contestants: []contestant{
				{name: "Passenger 6, watchdog and core, RSS", start: passenger6("rack", 2), programs: passengerDaemons, value: rssMegabytes},
				{name: "Passenger 6, watchdog and core, PSS", start: passenger6("rack", 2), programs: passengerDaemons},
				{name: "ours, spawner, pool and proxy, PSS", start: ours("rack", 2), programs: ourDaemons},
			},
		},
		{name: "disk", title: "The four programs on disk, as they are installed", figures: sizeOnDisk},
	}
}

var (
	passengerDaemons = []string{"Passenger watchdog", "Passenger core"}
	ourDaemons       = []string{"passenger-spawn", "passenger-pool", "passenger-proxy"}
)

// sizeOnDisk adds up what "make install" puts there.
func sizeOnDisk(_ context.Context, l *lab) ([]figure, error) {
	f := figure{name: "passenger-spawn, -pool, -proxy and -status", unit: "MB", format: "%.1f", limit: 30}
	for _, program := range append(slices.Clone(ourDaemons), "passenger-status") {
		info, err := os.Stat(filepath.Join(l.bin, program))
		if err != nil {
			return nil, err
		}
		f.value += float64(info.Size()) / 1e6
	}
	return []figure{f}, nil
}

func rowNames() []string {
	var names []string
	for _, r := range rows() {
		names = append(names, r.name)
	}
	return names
}

func requestsPerSecond(s sample) float64 { return s.perSecond }

func microsecondsPerRequest(s sample) float64 {
	return float64(s.cpu.Nanoseconds()) / 1e3 / float64(s.requests)
}

func quarterOfPSS(s sample) float64 { return pssMegabytes(s) / 4 }
func pssMegabytes(s sample) float64 { return float64(s.pss) / 1e6 }
func rssMegabytes(s sample) float64 { return float64(s.rss) / 1e6 }
