package proxy

import "passenger/lib/proxy/admin"

// Standing says what the proxy could do for a request that came now.
func (p *Proxy) Standing() admin.Standing {
	x := p.index.Load()
	s := admin.Standing{Leaving: p.leaving.Load(), Routed: x.version > 0, Configured: p.SecureHeaders.Pool != nil}
	for _, m := range x.mounts {
		s.Apps = append(s.Apps, m.app.balance.Standing(m.route.MinInstances))
	}
	return s
}
