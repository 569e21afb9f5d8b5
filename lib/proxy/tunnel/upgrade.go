package tunnel

import (
	"bytes"
	"iter"

	"passenger/lib/http1"
)

// Upgrades are the protocols that the Upgrade fields of a head list: RFC 9110,
// 7.8.
func Upgrades(h *http1.Head) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := range h.Count() {
			if h.Kind(i) != http1.Upgrade {
				continue
			}
			for list := h.Value(i); list != nil; {
				var protocol []byte
				if protocol, list = http1.NextToken(list); len(protocol) > 0 && !yield(protocol) {
					return
				}
			}
		}
	}
}

// IsWebSocket says that a protocol is a version of it: RFC 6455.
func IsWebSocket(protocol []byte) bool {
	name, _, _ := bytes.Cut(protocol, []byte{'/'})
	return http1.EqualFold(name, "websocket")
}

// IsHTTP says that a protocol is a version of HTTP, by any of its names.
func IsHTTP(protocol []byte) bool {
	name, _, _ := bytes.Cut(protocol, []byte{'/'})
	return http1.EqualFold(name, "http") || len(name) >= 2 && name[0]|0x20 == 'h' && name[1] == '2'
}

// Wanted are the protocols that a client asks for and may have: any but HTTP,
// whose requests would pass this proxy unseen, and WebSocket by GET only: RFC
// 6455, 4.1.
func Wanted(q *http1.Request) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for p := range Upgrades(&q.Head) {
			if IsHTTP(p) || IsWebSocket(p) && string(q.Method) != "GET" {
				continue
			}
			if !yield(p) {
				return
			}
		}
	}
}

// Asks says that a client asks for a protocol that it may have.
func Asks(q *http1.Request) bool {
	for range Wanted(q) {
		return true
	}
	return false
}

// Agreed are the protocols that the process switched to with r, its answer to q:
// one, or several in layers.
func Agreed(q *http1.Request, r *http1.Response) iter.Seq[[]byte] {
	for range Upgrades(&r.Head) {
		return Upgrades(&r.Head)
	}
	return Wanted(q)
}

// WantedAll says that a client asked for all protocols of a list, and may have
// them: its connection may be switched to such a list. That of an app which names
// no protocol is empty: the app switched to the one that was asked for.
func WantedAll(q *http1.Request, list iter.Seq[[]byte]) bool {
	for p := range list {
		if !wants(q, p) {
			return false
		}
	}
	return true
}

// wants says that a client asked for a protocol and may have it. A version that
// one side leaves out is any.
func wants(q *http1.Request, protocol []byte) bool {
	name, version, _ := bytes.Cut(protocol, []byte{'/'})
	for p := range Wanted(q) {
		n, v, _ := bytes.Cut(p, []byte{'/'})
		if bytes.EqualFold(n, name) && (len(v) == 0 || len(version) == 0 || bytes.Equal(v, version)) {
			return true
		}
	}
	return false
}
