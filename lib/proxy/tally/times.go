package tally

import (
	"sync/atomic"
	"time"

	"passenger/lib/control"
	"passenger/lib/histogram"
)

// timeBounds are those of all histograms of requests. Steps of 2 to 2.5 between
// 5 ms, below which no one notices, and 10 s, after which most have left: each one
// more costs a thousand apps three thousand lines in a scrape.
var timeBounds = []time.Duration{
	5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 10 * time.Second,
}

// MostHistograms bounds those of all apps together, and so the lines of a scrape:
// with 13 lines each, and those of the apps' counters, a thousand busy apps of four
// processes stay under 60,000.
const MostHistograms = 2500

// Times are histograms of how long the requests of an app took. One is made when
// there is first something to count.
type Times struct {
	durations [len(Ends{})]histogramCell // by the first digit of the answer's status, as in Ends
	queue     histogramCell
	firstByte histogramCell
}

type histogramCell = atomic.Pointer[histogram.Histogram]

// all are the cells of t.
func (t *Times) all() []*histogramCell {
	list := []*histogramCell{&t.queue, &t.firstByte}
	for i := range t.durations {
		list = append(list, &t.durations[i])
	}
	return list
}

// A Timekeeper makes the histograms of all apps, as many as there may be.
// Apps that come to traffic later count in others, all together.
type Timekeeper struct {
	Most   int64 // histograms; [MostHistograms] is a good bound
	made   atomic.Int64
	others Times
}

// of is the histogram to count in: that of own, else other, both cells for the
// same kind of time.
func (k *Timekeeper) of(own, other *histogramCell) *histogram.Histogram {
	if h := own.Load(); h != nil {
		return h
	}
	if k.made.Load() >= k.Most {
		return shared(other)
	}
	if own.CompareAndSwap(nil, histogram.New(timeBounds)) {
		k.made.Add(1)
	}
	return own.Load()
}

// shared is the histogram of a cell, which is made if there is none.
func shared(cell *histogramCell) *histogram.Histogram {
	if h := cell.Load(); h != nil {
		return h
	}
	cell.CompareAndSwap(nil, histogram.New(timeBounds))
	return cell.Load()
}

// Forget makes room for as many histograms as an app has that is gone.
func (k *Timekeeper) Forget(t *Times) {
	for _, cell := range t.all() {
		if cell.Load() != nil {
			k.made.Add(-1)
		}
	}
}

// Ended counts how long a request took that ended with a status, 0 if its client
// got none.
func (k *Timekeeper) Ended(t *Times, status int, took time.Duration) {
	if class := status / 100; class < len(t.durations) {
		k.of(&t.durations[class], &k.others.durations[class]).Add(took)
	}
}

// Waited counts how long a request waited for a process.
func (k *Timekeeper) Waited(t *Times, wait time.Duration) {
	k.of(&t.queue, &k.others.queue).Add(wait)
}

// FirstByte counts how long it took until a process began to answer.
func (k *Timekeeper) FirstByte(t *Times, after time.Duration) {
	k.of(&t.firstByte, &k.others.firstByte).Add(after)
}

// Metrics adds the histograms of the apps that have none of their own to m.
func (k *Timekeeper) Metrics(m *control.Metrics) { k.others.Metrics(m, "*") }

// Metrics adds the histograms to m, with the name of their app.
func (t *Times) Metrics(m *control.Metrics, app string) {
	add := func(name, help string, cell *histogramCell, labels ...string) {
		if h := cell.Load(); h != nil {
			m.Histogram("passenger_proxy_"+name, help, h.Snapshot(), append([]string{"app", app}, labels...)...)
		}
	}
	for class := range t.durations {
		add("request_duration_seconds", "Time from the end of a request's head to the end of its answer.", &t.durations[class], "status", statusClasses[class])
	}
	add("queue_wait_seconds", "Time that a request waited for a process; 0 if one was free.", &t.queue)
	add("first_byte_seconds", "Time from the end of a request's head to the first byte that a process answered.", &t.firstByte)
}
