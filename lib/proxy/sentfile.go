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
		again, err = x.req.sendNamed(w, status, f)
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

// sendNamed sends the file, with the fields and the status of the answer that
// named it. What the client has already, and which part of it it wants, counts
// as for any file, but only if the app had all of it in mind. An error comes before
// the answer begins; sent says that the client got all of it.
func (q *request) sendNamed(w *static.Writer, status int, f files.SentFile) (sent bool, err error) {
	t, err := files.OpenTree(f.Dir, q.began)
	if err != nil {
		return false, err
	}
	defer t.Close()
	file, info, err := t.OpenFile(f.Name)
	if err != nil {
		return false, err
	}
	defer file.Close()
	h := w.Fields
	if h.Get("Etag") == "" {
		h.Set("Etag", static.EntityTag(info))
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", files.ContentType(f.Name))
	}
	modified, err := http.ParseTime(h.Get("Last-Modified"))
	if err != nil {
		modified = info.ModTime()
	}
	whole := !q.reads()
	if status != http.StatusOK && status != http.StatusPartialContent {
		w.Status, whole = status, true
	}
	return w.Serve(&q.Request, file, info.Size(), modified, whole) == nil, nil
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
	d := download{kind: x.session.resp.Body(string(x.req.Method) == "HEAD"), left: x.session.resp.ContentLength}
	x.session.respChunks.Reset()
	from := x.session.resp.Len
	for read := 0; d.kind != http1.UntilClose && read < maxDiscarded; from = 0 {
		_, ended, err := x.session.measure(&d, b.B[from:n])
		if err != nil {
			break
		}
		if ended {
			x.endExchange(!d.surplus)
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
