package proxy

import (
	"log/slog"

	"passenger/lib/proxy/buffering"
)

// An answer is what a client gets for its request: from a process, a file, the
// cache or the proxy itself.
type answer struct {
	req *request

	status     int   // 0 as long as there is none
	sentBefore int64 // bytes that the client got on the connection before the body
	answered   bool  // it has begun
	closing    bool  // the connection ends after it
	interims   int   // 1xx responses so far

	passesChunks bool // of the process, as they come

	// buffer holds what the client has not taken yet, nil if that is nothing;
	// budget is the blocking budget of the process, and overflow makes a buffer.
	buffer   *buffering.Response
	budget   buffering.Budget
	overflow func() *buffering.Response
}

// reset makes a ready for another request.
func (a *answer) reset() {
	a.status, a.sentBefore, a.answered, a.closing, a.interims = 0, 0, false, false, 0
	a.passesChunks, a.buffer, a.budget = false, nil, 0
}

// writeBoth writes head and part in one call.
func (a *answer) writeBoth(head, part []byte) (int, error) {
	if len(head) == 0 && len(part) == 0 {
		return 0, nil
	}
	return a.req.client.WriteBoth(joined(head, part))
}

// joined returns head and part, or a small part behind the head, where there is
// room.
func joined(head, part []byte) (p, p2 []byte) {
	if len(head) > 0 && len(part) <= cap(head)-len(head) {
		return append(head, part...), nil
	}
	return head, part
}

// begin notes that an answer begins, with a head of length bytes.
func (a *answer) begin(status, length int) {
	a.status, a.sentBefore = status, a.req.client.Sent+int64(length)
}

// appendConnection says whether the connection goes on, where the client
// could not know.
func (a *answer) appendConnection(b []byte) []byte {
	a.closing = a.closing || a.req.client.proxy.leaving.Load()
	switch {
	case a.closing:
		return append(b, "Connection: close\r\n"...)
	case a.req.Minor == 0:
		return append(b, "Connection: keep-alive\r\n"...)
	}
	return b
}

// unkeptAnswer counts an answer that could not be kept on disk, and logs why, at
// most once a second.
func (p *Proxy) unkeptAnswer(err error) {
	p.unkept.Add(1)
	if p.unkeptLogged.Due() {
		slog.Error("could not keep an answer on disk; its process waits for the client", "dir", p.DataBufferDir, "err", err)
	}
}
