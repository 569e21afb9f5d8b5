package proxy

import (
	"passenger/lib/proxy/accesslog"
	"passenger/lib/proxy/fronted"
	"passenger/lib/proxy/trace"
)

// statusGone is logged for a client that did not wait for its answer; it is
// nginx's.
const statusGone = 499

// log writes the exchange, which has ended, to the access log.
func (x *exchange) log() {
	l := x.client.proxy.AccessLog
	if l == nil || x.req.idLen == 0 {
		return // no request came
	}
	if x.answer.status == 0 {
		x.answer.status = statusGone
	}
	var addr [fronted.MaxAddr]byte
	r := x.record(addr[:0])
	l.Add(&r)
}

// record is what the access log is told of the exchange. addr is room for the
// client's address.
func (x *exchange) record(addr []byte) accesslog.Record {
	r := accesslog.Record{
		Request: &x.req.Request, HTTP2: x.client.http2, ID: x.req.id[:x.req.idLen], Addr: x.client.headers.AppendAddr(addr, &x.req.Request, x.client.addr), User: x.client.headers.Value(&x.req.Request, fronted.RemoteUser),
		Trace: x.req.traceID(), TLS: x.client.tls,
		Began: x.req.began, Took: x.took, Waited: x.session.waited, Status: x.answer.status,
		Bytes: max(x.client.Sent-x.answer.sentBefore, 0),
	}
	if x.req.mount != nil {
		r.App = x.req.mount.app.name
	}
	if t := x.session.target.Load(); t != nil {
		r.PID, r.Process = t.PID, t.ID
	}
	return r
}

// trace queues the spans of the exchange, which has ended, if it has any.
func (x *exchange) trace() {
	t := x.client.proxy.Traces
	if t == nil || !x.req.span.Sampled() {
		return
	}
	var addr [fronted.MaxAddr]byte
	f, w := x.req.forwarded(), &x.session.waiter
	r := trace.Record{
		Request: &x.req.Request, HTTP2: x.client.http2, Addr: x.client.headers.AppendAddr(addr[:0], &x.req.Request, x.client.addr),
		Scheme: f.Proto, ServerAddress: f.Name, ServerPort: f.NamePort,
		Began: x.req.began, Took: x.took, Waited: x.session.waited, Starting: w.Starting,
		Status: x.answer.status, Bytes: max(x.client.Sent-x.answer.sentBefore, 0),
	}
	if x.session.waited > 0 {
		r.Queued = w.Began
	}
	if x.req.mount != nil {
		r.App = x.req.mount.app.name
	}
	if p := x.session.target.Load(); p != nil {
		r.PID, r.Process = p.PID, p.ID
	}
	t.Add(&x.req.span, &r)
}
