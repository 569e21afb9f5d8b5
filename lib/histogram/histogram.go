// Package histogram counts how long things took.
//
// A duration costs two atomic additions: no lock, no allocation, no reading of a
// clock. Bounds are fixed when a histogram is made, so that histograms with the
// same bounds can be added up, over apps and over machines.
package histogram

import (
	"sync/atomic"
	"time"
)

// A Histogram counts durations by the bounds below which they lie. Make it with
// [New]. Its methods may be called by many goroutines at once.
type Histogram struct {
	bounds []time.Duration
	counts []atomic.Uint64 // by bucket, the last one for what is over all bounds
	sum    atomic.Int64    // of all durations, in nanoseconds
}

// New makes a histogram with bounds in rising order, which it keeps. A duration
// equal to a bound lies in the bucket of that bound, as with Prometheus.
func New(bounds []time.Duration) *Histogram {
	return &Histogram{bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1)}
}

// Add counts a duration. One under zero, of a clock that was set back, counts as
// zero.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	i := 0
	for i < len(h.bounds) && d > h.bounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(int64(d))
}

// A Snapshot is what a histogram had counted at one moment.
type Snapshot struct {
	Bounds []time.Duration
	Counts []uint64 // how many lay at or below each bound; the last is all of them
	Sum    time.Duration
}

// Snapshot reads the histogram. What is counted meanwhile may be in its sum and
// not yet in its counts, or the other way round.
func (h *Histogram) Snapshot() Snapshot {
	s := Snapshot{Bounds: h.bounds, Counts: make([]uint64, len(h.counts)), Sum: time.Duration(h.sum.Load())}
	all := uint64(0)
	for i := range h.counts {
		all += h.counts[i].Load()
		s.Counts[i] = all
	}
	return s
}
