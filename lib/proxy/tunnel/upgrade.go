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

func IsWebSocket(protocol []byte) bool {
	name, _, _ := bytes.Cut(protocol, []byte{'/'})
	return http1.EqualFold(name, "websocket")
}

// IsHTTP says that a protocol is a version of HTTP, by any of its names.
func IsHTTP(protocol []byte) bool {
	name, _, _ := bytes.Cut(protocol, []byte{'/'})
	return http1.EqualFold(name, "http") || len(name) >= 2 && name[0]|0x20 == 'h' && name[1] == '2'
}

// AppendList appends the elements of a list as a field has them.
func AppendList(b []byte, list iter.Seq[[]byte]) []byte {
	first := true
	for element := range list {
		if !first {
			b = append(b, ", "...)
		}
		b, first = append(b, element...), false
	}
	return b
}
