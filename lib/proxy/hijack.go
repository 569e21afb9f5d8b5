package proxy

import "passenger/lib/proxy/phase"

// An app may take its connection over, in Ruby's words hijack it. Its adapter
// says so before: it sends the interim response "199 Hijacked". From then on the
// connection is the app's. What comes is the app's own answer, and no request
// follows it. The process has its slot back as soon as it is free to answer
// again, which with one thread may be long after.

// takeoverStatus and takeoverReason are the interim response. One that differs
// is some other server's, and is passed on.
const (
	takeoverStatus = 199
	takeoverReason = "Hijacked"
)

// partialField is the field of a head whose body the app writes itself.
const partialField = "x-passenger-hijack"

// takeOver notes that the app takes the connection over.
func (s *session) takeOver() {
	if s.takeover == nil {
		s.phase.On(phase.Upgrades)
		if s.followable(s.process) {
			s.req.mount.app.balance.Confirm(s.process, s.up)
		}
		s.takeover = s.req.mount.app.balance.TakeOver(s.process, s, s.req.upgrade, &s.req.client.proxy.dialer, s.req.mount.readTimeout)
	}
}

func (s *session) takesOver() bool {
	r := &s.resp
	return r.Status == takeoverStatus && string(r.Reason) == takeoverReason && r.Count() == 0
}
