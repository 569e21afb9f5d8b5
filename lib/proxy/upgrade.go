package proxy

import (
	"iter"

	"passenger/lib/proxy/tunnel"
)

// mayUpgrade says that the client asks for a protocol that it may have.
func (q *request) mayUpgrade() bool {
	for range tunnel.Wanted(&q.Request) {
		return true
	}
	return false
}

// upgradedTo is what the process switched to: one protocol, or several in
// layers.
func (s *session) upgradedTo() iter.Seq[[]byte] {
	for range tunnel.Upgrades(&s.resp.Head) {
		return tunnel.Upgrades(&s.resp.Head)
	}
	return tunnel.Wanted(&s.req.Request)
}

// isWebSocket says that the process switched to it.
func (s *session) isWebSocket() bool {
	if s.resp.Status != 101 {
		return false
	}
	for p := range s.upgradedTo() {
		return tunnel.IsWebSocket(p)
	}
	return false
}
