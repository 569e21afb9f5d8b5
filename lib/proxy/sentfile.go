package proxy

import (
	"errors"
	"log/slog"
	"net/http"

	"passenger/lib/http1"
	"passenger/lib/proxy/files"
	"passenger/lib/proxy/packing"
	"passenger/lib/proxy/phase"
	"passenger/lib/proxy/static"
	"passenger/lib/proxy/wire"
	"passenger/lib/security"
)

// passAnswer passes the response on whose head is in b, or the file that it names
// in its body's place. Like forward it frees b, whose first n bytes are filled.
func (x *exchange) passAnswer(b *wire.Buffer, n int) (again bool) {
	if x.req.mount.route.Compression {
		x.session.planPacking()
	}
	if x.lookup != nil {
		x.session.consider(x.lookup)
	}
	if s := x.session.process.Sendfile.Load(); s != nil {
		if f, found, err := s.Find(&x.session.resp); found {
			x.session.plan = packing.Plan{}
			return x.answerFile(b, n, f, err)
		}
	}
	if x.session.plan.NotModified && x.session.resp.Status == http.StatusOK {
		return sendNotModified(x, b, n)
	}
	return x.forward(b, n)
}

// answerFile gives the process back and sends the file that its answer names,
// unless err says that it may not be sent.
func (x *exchange) answerFile(b *wire.Buffer, n int, f files.SentFile, err error) (again bool) {
	w := &static.Writer{To: fileSink{x}, Fields: x.session.fieldsOfFile(), Extra: x.session.appendOurs(nil)}
	status := x.session.resp.Status
	x.session.phase.On(phase.Answers)
	x.discard(b, n)
	if err == nil {
		again, err = w.ServeNamed(&x.req.Request, f, x.req.began, status, !x.req.reads())
	}
	if err == nil {
		return again && x.finish()
	}
	var refused *files.Refusal
	if !errors.As(err, &refused) {
		refused = files.RefusalOf(err)
	}
	if a := x.req.mount.app; a.complained.Due() {
		facts := []any{"app", a.name, "header", f.Header, "value", f.Value, "status", refused.Status, "err", err}
		if refused.Status == http.StatusForbidden {
			facts = append(facts, security.PathRefused.Attr())
		}
		slog.Warn("file that an answer names was not sent", facts...)
	}
	return x.fail(refused.Status, "The file is not available.")
}

// reads says that the request is for a representation, so that its conditions
// and its range are about that.
func (q *request) reads() bool {
	return string(q.Method) == "GET" || string(q.Method) == "HEAD"
}

// fieldsOfFile are the fields of the answer that stay when a file takes its
// body's place.
func (s *session) fieldsOfFile() http.Header {
	h := http.Header{}
	for i := range s.resp.Count() {
		name := http.CanonicalHeaderKey(string(s.resp.Name(i)))
		if s.forUs(s.resp.Name(i)) || hopByHop[s.resp.Kind(i)] || s.resp.Hop(i) || files.WithoutFile[name] {
			continue
		}
		h.Add(name, string(s.resp.Value(i)))
	}
	return h
}

// maxDiscarded is how much of a body is read for nothing, so that the
// connection can be used again.
const maxDiscarded = 256 << 10

// discard gives the process back after the answer whose head is in b, and whose
// body no client gets. It frees b; only the numbers of the response are left.
func (x *exchange) discard(b *wire.Buffer, n int) {
	d := x.session.resp.Extent(string(x.req.Method) == "HEAD", &x.session.respChunks)
	x.session.respChunks.Reset()
	from := x.session.resp.Len
	for read := 0; d.Kind != http1.UntilClose && read < maxDiscarded; from = 0 {
		_, ended, err := d.Measure(b.B[from:n])
		if err != nil {
			break
		}
		if ended {
			x.endExchange(x.session.clean(b.B[n-d.Surplus : n]))
			b.Free()
			return
		}
		read += n - from
		b.Free()
		if b, n, err = x.readUpstream(wire.Medium); err != nil {
			x.endSession(false)
			return
		}
	}
	b.Free()
	x.endSession(false)
}
