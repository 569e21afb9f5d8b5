package proxy

import "passenger/lib/proxy/apphead"

// head is what the process gets of the request's head.
func (s *session) head() apphead.Head {
	q, c := s.req, s.req.client
	return apphead.Head{
		Request: &q.Request, Claims: q.forwarded(), Upgrade: q.upgrade,
		Addr: c.addr, Port: c.port, Headers: c.headers, Trusted: c.trusted, HTTP2: c.http2,
		Began: q.began, ID: q.id[:q.idLen], ForeignID: q.keepsID(), NewTrace: q.makesTrace(), Traceparent: q.span.Traceparent(), Continues: q.span.Continues(),
		Base: q.mount.base, AddsAll: q.mount.addsAll, Sendfile: s.process.Sendfile.Load(),
		Release: c.proxy.Release,
	}
}
