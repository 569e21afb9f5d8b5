package proxy

import (
	"time"

	"passenger/lib/http1"
	"passenger/lib/proxy/forwarded"
	"passenger/lib/proxy/limits"
	"passenger/lib/proxy/trace"
	"passenger/lib/proxy/wire"
)

// A request is what a client asks for, and what was read from it: the head, a
// body that fits behind it, the beginning of the next request.
type request struct {
	http1.Request
	client *client

	// in holds the request's head and what came after it, up to end. What is
	// before start is used up. rest, if set, is what was read of a body that is
	// passed on, or else takes in's place for the next request: what was read
	// behind that body.
	in         *wire.Buffer
	start, end int
	rest       *wire.Buffer
	restEnd    int

	began time.Time
	tick  int64                 // the same in the clock's time
	id    [forwarded.MaxID]byte // request ID
	idLen int
	span  trace.Span

	mount   *mount       // of the app that it is for; nil until that is found
	place   limits.Place // among those that the app's limits let in
	upgrade bool         // it asks for another protocol, and may

	continued bool          // 100 was sent
	taken     int64         // bytes of a chunked body so far
	chunks    http1.Chunked // of the body
}

// reset makes q ready for the head of another request of c.
func (q *request) reset(c *client) {
	q.Request.Reset()
	q.span.Reset()
	q.client, q.mount, q.idLen, q.upgrade, q.continued, q.taken = c, nil, 0, false, false, 0
}

// free gives the buffers back.
func (q *request) free() {
	q.in.Free()
	q.rest.FreeIf()
	q.in, q.rest, q.client, q.mount = nil, nil, nil, nil
}

// shrink has q hold no more than its head in a buffer of that size, and what was
// read of the body in another: the client may be slow to send what is missing.
func (q *request) shrink() {
	if n := q.end - q.start; n > 0 {
		q.rest = wire.TakeBuffer(n)
		q.restEnd = copy(q.rest.B, q.in.B[q.start:q.end])
	}
	q.start, q.end = q.Len, q.Len
	q.client.fit(q, (*wire.Buffer).Shrunk)
}

// plain says that the request is its head and no more, on the client's side too.
func (q *request) plain() bool { return q.ContentLength <= 0 && !q.Chunked && !q.upgrade }

// mayGoAhead says that the request may be sent behind another one that a process
// still answers: whether it is answered a little later, or not, changes nothing.
func (q *request) mayGoAhead() bool { return q.plain() && q.Safe() && q.mount.sticky.Name == nil }

// measureBody says how many bytes of p to pass on, how many belong to the
// body, and whether it ends with them.
func (q *request) measureBody(p []byte, left *int64) (keep, total int, ended bool, err error) {
	if q.Chunked {
		keep, total, err = q.chunks.Scan(p)
		return keep, total, q.chunks.Done(), err
	}
	n := int(min(*left, int64(len(p))))
	*left -= int64(n)
	return n, n, *left == 0, nil
}

// keepRest keeps what was read behind the body: the next request.
func (q *request) keepRest(p []byte, total int, inPlace bool) {
	if inPlace {
		q.start += total
		return
	}
	q.start = q.end
	if rest := p[total:]; len(rest) > 0 {
		q.rest = wire.TakeBuffer(len(rest))
		q.restEnd = copy(q.rest.B, rest)
	}
}
