package proxy

import (
	"time"

	"passenger/lib/http1"
	"passenger/lib/proxy/forwarded"
	"passenger/lib/proxy/wire"
)

// A request is what a client asks for, and what was read from it: the head, a
// body that fits behind it, the beginning of the next request.
type request struct {
	http1.Request
	client *client

	// in holds the request's head and what came after it, up to end. What is
	// before start is used up. rest, if set, takes in's place for the next
	// request: what was read behind a chunked body.
	in         *wire.Buffer
	start, end int
	rest       *wire.Buffer
	restEnd    int

	began time.Time
	tick  int64                 // the same in the clock's time
	id    [forwarded.MaxID]byte // request ID
	idLen int

	mount   *mount // of the app that it is for; nil until that is found
	upgrade bool   // it asks for another protocol, and may

	continued bool          // 100 was sent
	taken     int64         // bytes of a chunked body so far
	chunks    http1.Chunked // of the body
}

// reset makes q ready for the head of another request of c.
func (q *request) reset(c *client) {
	q.Request.Reset()
	q.client, q.mount, q.idLen, q.upgrade, q.continued, q.taken = c, nil, 0, false, false, 0
}

// free gives the buffers back.
func (q *request) free() {
	q.in.Free()
	q.rest.FreeIf()
	q.in, q.rest, q.client, q.mount = nil, nil, nil, nil
}
