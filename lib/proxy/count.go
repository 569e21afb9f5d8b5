package proxy

import "time"

// count counts the exchange, which has ended.
func (x *exchange) count() {
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

// countFirstByte counts when the process began to answer.
func (s *session) countFirstByte() {
	s.req.span.Hears()
	s.req.client.proxy.times.FirstByte(&s.req.mount.app.times, time.Since(s.req.began))
}
