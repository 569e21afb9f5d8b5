package proxy

import (
	"time"

	"passenger/lib/proxy/accesslog"
	"passenger/lib/proxy/fronted"
	"passenger/lib/proxy/trace"
)

// statusGone is logged for a client that did not wait for its answer; it is
// nginx's.
const statusGone = 499

// An outcome is an exchange that has ended, for those who are told of it.
type outcome exchange

// count counts the exchange.
func (x *outcome) count() {
	p := x.client.proxy
	if x.req.mount == nil {
		p.unrouted.Add(x.answer.status)
		return
	}
	a := x.req.mount.app
	a.ends.Add(x.answer.status)
	p.times.Ended(&a.times, x.answer.status, x.took)
	if x.session.target.Load() != nil || x.session.waited > 0 {
		p.times.Waited(&a.times, x.session.waited)
	}
}

// log writes the exchange to the access log.
func (x *outcome) log() {
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
func (x *outcome) record(addr []byte) accesslog.Record {
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

// trace queues the spans of the exchange, if it has any.
func (x *outcome) trace() {
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

// countFirstByte counts when the process began to answer.
func (s *session) countFirstByte() {
	s.req.span.Hears()
	s.req.client.proxy.times.FirstByte(&s.req.mount.app.times, time.Since(s.req.began))
}
