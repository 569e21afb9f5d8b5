package trace

import (
	"sync"
	"sync/atomic"
)

// Bounds of the queue and of a batch, in requests.
const (
	mostQueued = 2048
	mostBatch  = 512
)

// An item is the spans of one request, encoded as fields of ScopeSpans.
type item struct {
	b     []byte
	spans int
}

// items are reused, so that a sampled request allocates nothing once it is warm.
var items = sync.Pool{New: func() any { return &item{b: make([]byte, 0, 1024)} }}

// A count is how many spans had each fate.
type count struct{ exported, dropped, failed, rejected atomic.Uint64 }

// Add queues the spans of a request that ended, if it was sampled. It never waits.
func (t *Exporter) Add(s *Span, r *Record) {
	if !s.on {
		return
	}
	it := items.Get().(*item)
	it.b, it.spans = appendSpans(it.b[:0], s, r), 1
	if !s.sent.IsZero() {
		it.spans = 2
	}
	select {
	case t.queue <- it:
	default:
		t.count.dropped.Add(uint64(it.spans))
		items.Put(it)
	}
}
