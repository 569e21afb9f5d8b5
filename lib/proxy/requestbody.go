package proxy

import (
	"passenger/lib/http1"
	"passenger/lib/proxy/buffering"
	"passenger/lib/proxy/fronted"
	"passenger/lib/proxy/tunnel"
)

// A bodyPlan is how a request's body gets to the process.
type bodyPlan uint8

const (
	noBody       bodyPlan = iota
	heldBody              // whole in the buffer behind the head
	sentBody              // passed on as it comes, perhaps behind its beginning in the buffer
	bufferedBody          // whole in the request buffer
)

// A requestBody is the body of a request on its way to a process.
type requestBody struct {
	req     *request
	plan    bodyPlan
	upload  upload
	buffer  *buffering.Request // nil if the body is elsewhere
	asked   bool               // the process is to tell the client to send it
	session bool               // the process speaks the session protocol
}

// reset makes r ready for another request.
func (r *requestBody) reset() {
	r.upload.reset()
	r.freeBuffer()
	r.plan, r.asked, r.session = noBody, false, false
}

// maxHeld is the largest body that is read before a process is held for it.
// It spares apps that take one request at a time the wait for slow clients.
const maxHeld = 32 << 10

// planBody decides how the body travels, and reads a small one.
func (r *requestBody) planBody() error {
	r.req.upgrade = r.req.AsksUpgrade && r.req.Minor > 0 && r.req.ContentLength <= 0 && !r.req.Chunked && tunnel.Asks(&r.req.Request)
	if most := int64(r.req.mount.route.MaxBodySize); most > 0 && r.req.ContentLength > most {
		r.plan = sentBody
		return errBodyTooLong
	}
	if (r.req.Chunked || r.req.ContentLength > 0) && r.leavesContinue() {
		r.asked, r.plan = true, sentBody
		r.req.chunks.Reset()
		return nil
	}
	switch {
	case r.req.Chunked:
		if err := r.planChunked(); err != nil || r.plan == heldBody {
			return err
		}
	case r.req.ContentLength <= 0:
		r.plan = noBody
	case r.req.ContentLength <= maxHeld:
		r.plan = heldBody
		if err := r.req.readBody(int(r.req.ContentLength)); err != nil {
			return err
		}
		r.req.start = r.req.Len + int(r.req.ContentLength)
	default:
		r.plan = sentBody
	}
	if r.plan == sentBody && (r.req.mount.buffers(r.req.Chunked) || r.req.client.headers.Flagged(fronted.Buffer)) {
		if err := r.fillBuffer(); err != nil {
			return err
		}
		if !r.buffer.Begun {
			r.plan = bufferedBody
		}
	}
	return nil
}

// planChunked holds a chunked body that is already here. It waits for none:
// the client may wait for the answer's begin.
func (r *requestBody) planChunked() error {
	r.plan = sentBody
	r.req.chunks.Reset()
	have := r.req.in.B[r.req.start:r.req.end]
	chunks, total, err := r.req.chunks.Scan(have)
	if err != nil {
		return err
	}
	// What has a trailer goes the other way, which knows what to keep of it.
	if r.req.chunks.Done() && total == chunks+len("\r\n") {
		r.plan = heldBody
		r.req.start += total
	}
	return nil
}

// repeatable says that the request may be sent again although the process may
// have begun to act on it: its method is idempotent, and we have it whole.
func (r *requestBody) repeatable() bool {
	return r.plan != sentBody && !r.req.upgrade && r.req.Idempotent()
}

// unread says that the client may have sent more than we read.
func (r *requestBody) unread() bool {
	return r.req.start < r.req.end || r.req.rest != nil || r.plan == sentBody && !r.upload.read.Load()
}

// readBody reads a body of length bytes that fits in the buffer whole, before
// a process is held for it.
func (q *request) readBody(length int) error {
	c := q.client
	need := q.Len + length
	if q.end >= need {
		return nil
	}
	if err := q.sendContinue(); err != nil {
		return err
	}
	c.HoldRead(c.proxy.Timeouts.Body)
	var err error
	for q.end < need && err == nil {
		// A client that announces much and sends little holds little.
		if q.end == len(q.in.B) {
			q.in = q.in.Grown(min(need, 4*q.end), q.end)
			if err = q.Rebase(q.in.B); err != nil {
				break
			}
		}
		var n int
		n, err = c.Read(q.in.B[q.end:min(need, len(q.in.B))])
		q.end += n
	}
	if late := c.ReleaseRead(); late != nil {
		return late
	}
	return err
}

var errBodyTooLong = &http1.Error{Status: 413, Reason: "body too long"}

// buffers says whether bodies are kept before a process is held for them:
// where processes take few requests at a time, unless the app says.
func (m *mount) buffers(chunked bool) bool {
	if b := m.route.BufferUpload; b != nil {
		return *b
	}
	// A client may want the answer's begin before it sends all of a body whose
	// length it does not know.
	return m.scarce && !chunked
}
