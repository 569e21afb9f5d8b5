package pool

import "time"

// Counts are what ended at processes.
type counts struct {
	processed, errors uint64
	took              float64 // all of them together, in seconds
}

func (c *counts) add(d counts) {
	c.processed += d.processed
	c.errors += d.errors
	c.took += d.took
}

// since is what was added to b to make c, nothing if c is the smaller.
func (c counts) since(b counts) counts {
	if c.processed < b.processed || c.errors < b.errors {
		return counts{}
	}
	return counts{c.processed - b.processed, c.errors - b.errors, max(c.took-b.took, 0)}
}

// share is that of errors.
func (c counts) share() float64 {
	if c.processed == 0 {
		return 0
	}
	return float64(c.errors) / float64(c.processed)
}

// latency is the mean of what they took, in seconds.
func (c counts) latency() float64 {
	if c.processed == 0 {
		return 0
	}
	return c.took / float64(c.processed)
}

const (
	slotTime = 5 * time.Second
	slots    = 12 // a minute
)

// A history is what an app's processes answered in the last minute.
type history struct {
	slots [slots]counts
	last  int64 // the number of the newest slot, counted since 1970
}

func (h *history) add(now time.Time, c counts) {
	h.forget(now)
	h.slots[h.last%slots].add(c)
}

func (h *history) sum(now time.Time) counts {
	h.forget(now)
	var all counts
	for _, c := range h.slots {
		all.add(c)
	}
	return all
}

// forget empties the slots that came round again.
func (h *history) forget(now time.Time) {
	n := now.UnixNano() / int64(slotTime)
	if n-h.last >= slots || n < h.last { // the clock may have been set
		*h = history{last: n}
	}
	for ; h.last < n; h.last++ {
		h.slots[(h.last+1)%slots] = counts{}
	}
}
