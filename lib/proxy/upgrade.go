package proxy

import (
	"bytes"
	"iter"

	"passenger/lib/proxy/tunnel"
)

// wanted are the protocols that the client asks for and may have: any but HTTP,
// whose requests would pass this proxy unseen, and WebSocket by GET only: RFC
// 6455, 4.1.
func (q *request) wanted() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for p := range tunnel.Upgrades(&q.Head) {
			if tunnel.IsHTTP(p) || tunnel.IsWebSocket(p) && string(q.Method) != "GET" {
				continue
			}
			if !yield(p) {
				return
			}
		}
	}
}

// mayUpgrade says that the client asks for a protocol that it may have.
func (q *request) mayUpgrade() bool {
	for range q.wanted() {
		return true
	}
	return false
}

// askedForAll says that the client asked for all protocols of a list, which is
// what its connection may be switched to. An app that names none switched to the
// one that was asked for.
func (q *request) askedForAll(list iter.Seq[[]byte]) bool {
	for p := range list {
		if !q.askedFor(p) {
			return false
		}
	}
	return true
}

// askedFor says that the client asked for a protocol and may have it. A version
// that one side leaves out is any.
func (q *request) askedFor(protocol []byte) bool {
	name, version, _ := bytes.Cut(protocol, []byte{'/'})
	for p := range q.wanted() {
		n, v, _ := bytes.Cut(p, []byte{'/'})
		if bytes.EqualFold(n, name) && (len(v) == 0 || len(version) == 0 || bytes.Equal(v, version)) {
			return true
		}
	}
	return false
}

// upgradedTo is what the process switched to: one protocol, or several in
// layers.
func (s *session) upgradedTo() iter.Seq[[]byte] {
	for range tunnel.Upgrades(&s.resp.Head) {
		return tunnel.Upgrades(&s.resp.Head)
	}
	return s.req.wanted()
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
