package trace

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"

	"passenger/lib/bug"
	"passenger/lib/control"
	"passenger/lib/loglimit"
)

const (
	// gatherTime is how long the first span of a batch waits for others.
	gatherTime = 5 * time.Second

	// A batch is sent again until retryTime is over, after pauses that double from
	// firstPause to longestPause. Meanwhile the queue fills, and drops.
	retryTime    = time.Minute
	firstPause   = time.Second
	longestPause = 30 * time.Second

	// partingTime is for what is queued when the proxy stops.
	partingTime = 3 * time.Second

	// mostAnswer is how much of a collector's answer is read, of its head and of its
	// body.
	mostAnswer = 64 << 10

	complaintStep = time.Minute
)

// An Exporter samples requests and sends their spans. Make it with [New], then Run
// it.
type Exporter struct {
	sampler   sampler
	target    target
	client    *http.Client
	head      []byte // of each message: the resource, and the scope
	queue     chan *item
	count     count
	complaint loglimit.Limiter
}

// Run sends what is queued until ctx ends, and then what is left, once.
func (t *Exporter) Run(ctx context.Context) { bug.Outlive(ctx, func() { t.run(ctx) }) }

func (t *Exporter) run(ctx context.Context) {
	defer t.client.CloseIdleConnections()
	for {
		batch := t.gather(ctx)
		if ctx.Err() != nil {
			t.part(batch)
			return
		}
		if left := t.deliver(ctx, batch); len(left) > 0 {
			t.part(left)
			return
		}
		free(batch)
	}
}

// part sends what is left, without a second attempt.
func (t *Exporter) part(batch []*item) {
	ctx, cancel := context.WithTimeout(context.Background(), partingTime)
	defer cancel()
	for {
		for len(batch) < mostBatch {
			select {
			case it := <-t.queue:
				batch = append(batch, it)
				continue
			default:
			}
			break
		}
		if len(batch) == 0 {
			return
		}
		if _, err := t.post(ctx, batch); err != nil {
			t.lose(batch, err)
		}
		free(batch)
		batch = nil
	}
}

// gather waits for spans, and then for more until a batch is full or the first has
// waited long enough.
func (t *Exporter) gather(ctx context.Context) (batch []*item) {
	var full <-chan time.Time
	for len(batch) < mostBatch {
		select {
		case it := <-t.queue:
			if batch = append(batch, it); len(batch) == 1 {
				timer := time.NewTimer(gatherTime)
				defer timer.Stop()
				full = timer.C
			}
		case <-full:
			return batch
		case <-ctx.Done():
			return batch
		}
	}
	return batch
}

func free(batch []*item) {
	for _, it := range batch {
		if cap(it.b) <= 16<<10 {
			items.Put(it)
		}
	}
}

func spansOf(batch []*item) (n uint64) {
	for _, it := range batch {
		n += uint64(it.spans)
	}
	return n
}

// deliver sends a batch until it is taken or lost. It returns what is neither when
// ctx ends.
func (t *Exporter) deliver(ctx context.Context, batch []*item) (left []*item) {
	began, pause := time.Now(), firstPause
	for {
		after, err := t.post(ctx, batch)
		var refused *refusal
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return batch
		case errors.As(err, &refused) && refused.status == http.StatusRequestEntityTooLarge && len(batch) > 1:
			half := len(batch) / 2
			return slices.Concat(t.deliver(ctx, batch[:half]), t.deliver(ctx, batch[half:]))
		case errors.As(err, &refused) && !refused.retryable(), max(pause, after) > retryTime-time.Since(began): // after may be the longest there is
			t.lose(batch, err)
			return nil
		}
		t.complain(err, "sending again")
		wait := max(after, pause/2+rand.N(pause/2)) // not all proxies at once
		pause = min(2*pause, longestPause)
		select {
		case <-ctx.Done():
			return batch
		case <-time.After(wait):
		}
	}
}

// lose counts a batch that the collector did not take.
func (t *Exporter) lose(batch []*item, why error) {
	t.count.failed.Add(spansOf(batch))
	t.complain(why, "spans lost")
}

func (t *Exporter) complain(why error, what string) {
	if t.complaint.DueAfter(complaintStep) {
		slog.Warn("could not send traces; requests go on", "endpoint", t.target.shown(), "err", why, "then", what)
	}
}

// A refusal is a collector's answer that is no success.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string {
	if r.text == "" {
		return "the collector answered with status " + strconv.Itoa(r.status)
	}
	return fmt.Sprintf("the collector answered with status %d: %q", r.status, r.text)
}

// retryable says that the same message may be taken later (OTLP specification,
// "Retryable Response Codes").
func (r *refusal) retryable() bool {
	switch r.status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// post sends a batch once. after is how long the collector wants to be left alone.
func (t *Exporter) post(ctx context.Context, batch []*item) (after time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, t.target.timeout)
	defer cancel()
	body := t.encode(batch)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.target.url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	r.Header = t.target.header.Clone()
	res, err := t.client.Do(r)
	if err != nil {
		return 0, withoutURL(err)
	}
	defer res.Body.Close()
	// What did not come of the answer is no reason to send a message again that was taken.
	answer, _ := io.ReadAll(io.LimitReader(res.Body, mostAnswer))
	if res.StatusCode/100 != 2 {
		return retryAfter(res.Header.Get("Retry-After"), time.Now()), &refusal{res.StatusCode, text(answer, res.Header.Get("Content-Type"))}
	}
	total := spansOf(batch)
	refused := min(rejected(answer), total)
	t.count.rejected.Add(refused)
	t.count.exported.Add(total - refused)
	return 0, nil
}

// text is what a collector said, if it is for people.
func text(answer []byte, kind string) string {
	if len(kind) < 5 || kind[:5] != "text/" {
		return ""
	}
	return string(answer[:min(len(answer), 200)])
}

// encode is the message with a batch: ExportTraceServiceRequest.
func (t *Exporter) encode(batch []*item) []byte {
	size := 0
	for _, it := range batch {
		size += len(it.b)
	}
	b := make([]byte, 0, len(t.head)+size+64)
	b, start := open(b, 1) // resource_spans
	b = append(b, t.head...)
	b, scope := open(b, 2) // scope_spans
	b = append(b, t.target.scope...)
	for _, it := range batch {
		b = append(b, it.b...)
	}
	b = closeMessage(closeMessage(b, scope), start)
	if !t.target.gzip {
		return b
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(b); err != nil || z.Close() != nil {
		return b // a buffer takes all
	}
	return packed.Bytes()
}

// retryAfter reads a Retry-After field (RFC 9110, 10.2.3).
func retryAfter(v string, now time.Time) time.Duration {
	if s, err := strconv.ParseInt(v, 10, 32); err == nil {
		return max(0, time.Duration(s)*time.Second)
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// rejected is how many spans a collector refused of a message that it took
// otherwise: ExportTracePartialSuccess.rejected_spans. What cannot be read is 0.
func rejected(answer []byte) uint64 {
	partial, _ := fields(answer, 1)
	_, n := fields(partial, 1)
	return n
}

// fields returns the last value of a field in a message, as bytes or as a number.
func fields(b []byte, field uint64) (text []byte, number uint64) {
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, 0
		}
		b = b[n:]
		switch tag & 7 {
		case varintType:
			v, n := binary.Uvarint(b)
			if n <= 0 {
				return nil, 0
			}
			if b = b[n:]; tag>>3 == field {
				number = v
			}
		case bytesType:
			v, n := binary.Uvarint(b)
			if n <= 0 || v > uint64(len(b)-n) {
				return nil, 0
			}
			if tag>>3 == field {
				text = b[n : n+int(v)]
			}
			b = b[n+int(v):]
		default:
			return text, number // none of ours comes behind it
		}
	}
	return text, number
}

// Metrics adds what became of the spans to m.
func (t *Exporter) Metrics(m *control.Metrics) {
	for _, c := range []struct {
		result string
		n      uint64
	}{
		{"exported", t.count.exported.Load()}, {"dropped", t.count.dropped.Load()},
		{"failed", t.count.failed.Load()}, {"rejected", t.count.rejected.Load()},
	} {
		m.Counter("passenger_proxy_spans_total", "Spans of traces by what became of them.", float64(c.n), "result", c.result)
	}
	m.Gauge("passenger_proxy_spans_queued", "Requests whose spans wait to be sent.", float64(len(t.queue)))
}
