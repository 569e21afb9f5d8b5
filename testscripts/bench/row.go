package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// A row is one kind of work that several servers do, the last one ours. One that
// has figures instead is ours alone, and measures them itself.
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
	traffic traffic

	// pacing, if set, makes the traffic, out of what the slowest server can answer.
	pacing *pacing

	// processes is how many of them answer /pid, 0 if there is no such path.
	processes int

	// value is the number of interest of a sample.
	value func(sample) float64

	// remark, if set, says more of a contestant's samples.
	remark func([]sample) string

	// extra, if set, returns more figures of ours, each with its own limit, from
	// results that are whole.
	extra func([]result) []figure

	// less says that a smaller number is the better one.
	less bool

	// idle says that the servers are measured without load, worked that they
	// have had one before.
	idle, worked bool

	// rounds is how many there are at most, 0 for as many as are asked for.
	rounds int

	// once says that all servers are measured at the same time, since they hardly use
	// the processors, and once for as long as all rounds, since some will have work
	// behind them afterwards for long.
	once bool

	// limit is what ours may be at most, or at least, 0 for no limit.
	limit float64

	// upstream, if set, runs beside the servers, which get its directory.
	upstream func(dir string) (command, error)

	// possible, if set, says why the row cannot be measured here.
	possible func(context.Context, *lab) error

	contestants []contestant

	// figures, if set, are all that there is to the row.
	figures func(context.Context, *lab) ([]figure, error)
}

// A traffic is a load: it asks a server for so long.
type traffic func(ctx context.Context, s *server, duration time.Duration) (rate, error)

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
	// for none; cpuTarget that of the CPU per request, which is to be less.
	target, cpuTarget float64

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
	err     error // why that is not all
}

// A figure is a number of ours that has its own unit and limit.
type figure struct {
	name, unit, format string
	value              float64
	limit              float64 // at most; 0 for none
	before             string  // what it once was, if there is no limit
}

// text is the number with its unit.
func (f figure) text() string { return fmt.Sprintf(f.format, f.value) + " " + f.unit }

// median is 0 if there is nothing.
func median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	if len(v) == 0 {
		return 0
	}
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
