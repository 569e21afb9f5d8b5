package proxy

import "net/http"

// reply answers by itself, in one write, and says whether the connection can go
// on. head is the status line and the fields but for Connection; for HEAD the
// body stays out.
func (x *exchange) reply(status int, head, body []byte) (again bool) {
	if x.body.plan == sentBody {
		x.answer.closing = true
	}
	head = append(x.answer.appendConnection(head), crlf...)
	if string(x.req.Method) == http.MethodHead {
		body = nil
	}
	return x.answer.sendReply(status, len(head), head, body) == nil && x.finish()
}

// sendReply begins an answer of our own with p and p2, of which the first length
// bytes are its head. An answer that its client took nothing of has no status:
// the client was gone.
func (a *answer) sendReply(status, length int, p, p2 []byte) error {
	a.answered = true
	a.begin(status, length)
	n, err := a.req.client.WriteBoth(p, p2)
	if err != nil && n == 0 {
		a.status = 0
	}
	return err
}

// leaveBody has the request's body stay unread, if it has one.
func (r *requestBody) leaveBody() {
	if r.req.Chunked || r.req.ContentLength > 0 {
		r.plan = sentBody
	}
}
