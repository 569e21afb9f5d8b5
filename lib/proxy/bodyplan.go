package proxy

import (
	"passenger/lib/proxy/fronted"
)

// A bodyPlan is how a request's body gets to the process.
type bodyPlan uint8

const (
	noBody   bodyPlan = iota
	heldBody          // whole in the buffer behind the head
	sentBody          // passed on as it comes, perhaps behind its beginning in the spool
	keptBody          // whole in the spool
)

// maxHeld is the largest body that is read before a process is held for it.
// It spares apps that take one request at a time the wait for slow clients.
const maxHeld = 32 << 10

// planBody decides how the body travels, and reads a small one.
func (x *exchange) planBody() error {
	x.upgrade = x.req.AsksUpgrade && x.req.Minor > 0 && x.req.ContentLength <= 0 && !x.req.Chunked && x.mayUpgrade()
	if most := int64(x.mount.route.MaxBodySize); most > 0 && x.req.ContentLength > most {
		x.body = sentBody
		return errBodyTooLong
	}
	if (x.req.Chunked || x.req.ContentLength > 0) && x.leavesContinue() {
		x.asked, x.body = true, sentBody
		x.chunks.Reset()
		return nil
	}
	switch {
	case x.req.Chunked:
		if err := x.planChunked(); err != nil || x.body == heldBody {
			return err
		}
	case x.req.ContentLength <= 0:
		x.body = noBody
	case x.req.ContentLength <= maxHeld:
		x.body = heldBody
		if err := x.readBody(int(x.req.ContentLength)); err != nil {
			return err
		}
		x.start = x.req.Len + int(x.req.ContentLength)
	default:
		x.body = sentBody
	}
	if x.body == sentBody && (x.mount.buffers(x.req.Chunked) || x.client.headers.Flagged(fronted.Buffer)) {
		if err := x.fillSpool(); err != nil {
			return err
		}
		if !x.spool.Begun {
			x.body = keptBody
		}
	}
	return nil
}

// planChunked holds a chunked body that is already here. It waits for none:
// the client may wait for the answer's begin.
func (x *exchange) planChunked() error {
	x.body = sentBody
	x.chunks.Reset()
	have := x.in.B[x.start:x.end]
	chunks, total, err := x.chunks.Scan(have)
	if err != nil {
		return err
	}
	// What has a trailer goes the other way, which knows what to keep of it.
	if x.chunks.Done() && total == chunks+len("\r\n") {
		x.body = heldBody
		x.start += total
	}
	return nil
}
