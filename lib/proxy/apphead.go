package proxy

import (
	"passenger/lib/protocol"
	"passenger/lib/proxy/apphead"
	"passenger/lib/proxy/balance"
	"passenger/lib/proxy/wire"
)

// appendHead appends the request's head as p gets it. asked is as in requestBody.
func (s *session) appendHead(b []byte, p *balance.Process, asked bool) []byte {
	h := s.head(p)
	if !p.Session {
		return h.AppendHTTP(b, asked)
	}
	values := wire.TakeBuffer(s.req.Len + 1<<10)
	defer values.Free()
	form := p.Form
	if form == protocol.SessionAhead && !s.followable(p) {
		form = protocol.SessionApart
	}
	return h.AppendSession(b, values.B[:0], form)
}

// followable says that another request may go to p before this one is answered.
func (s *session) followable(p *balance.Process) bool { return p.LooksAhead() && s.req.plain() }

// invites says that another request does go ahead behind this one to p, if one waits.
// Of a session that is tried again, or has a new connection, a reset must tell that
// its request was not read.
func (s *session) invites(p *balance.Process) bool {
	return s.try == firstTry && s.up.Reused && s.followable(p)
}

// sendAhead sends the request to p, which answers another one over u; see
// balance.Waiter.
func (s *session) sendAhead(p *balance.Process, u *balance.Upstream) (sent int, err error) {
	out := wire.TakeBuffer(s.req.Len + 1<<10)
	defer out.Free()
	head := s.appendHead(out.B[:0], p, false)
	if sent, err = u.Socket().TryWrite(head, nil); err != nil && sent > 0 {
		u.Owe(head[sent:])
	}
	return sent, err
}

// head is what p gets of the request's head.
func (s *session) head(p *balance.Process) apphead.Head {
	q, c := s.req, s.req.client
	return apphead.Head{
		Request: &q.Request, Claims: q.forwarded(), Upgrade: q.upgrade,
		Addr: c.addr, Port: c.port, Headers: c.headers, Trusted: c.trusted, HTTP2: c.http2,
		Began: q.began, ID: q.id[:q.idLen], ForeignID: q.keepsID(), NewTrace: q.makesTrace(), Traceparent: q.span.Traceparent(), Continues: q.span.Continues(),
		Base: q.mount.base, AddsAll: q.mount.addsAll, Sendfile: p.Sendfile.Load(),
		Release: c.proxy.Release,
	}
}
