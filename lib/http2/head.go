package http2

import (
	"crypto/rand"
	"encoding/base64"
	"strconv"
	"strings"

	"golang.org/x/net/http2/hpack"

	"passenger/lib/http1"
)

// A head gathers the fields of a request or a trailer, and writes them as
// HTTP/1.1.
type head struct {
	method, scheme, authority, path, protocol string

	seen      pseudo // which of these there were
	trailer   bool   // it is one
	regular   bool   // a field came that is none of these
	malformed bool   // RFC 9113, 8.1.1
	tooLong   bool   // the rest is left out
	hosts     int
	length    int64  // -1 if there is none
	lines     []byte // of the fields, as HTTP/1.1
	cookies   []byte // RFC 9113, 8.2.3: they come in crumbs
}

type pseudo uint8

const (
	hasMethod pseudo = 1 << iota
	hasScheme
	hasAuthority
	hasPath
	hasProtocol
)

func (h *head) reset(trailer bool) {
	*h = head{trailer: trailer, length: -1, lines: h.lines[:0], cookies: h.cookies[:0]}
	if cap(h.lines)+cap(h.cookies) > maxHead {
		h.lines, h.cookies = nil, nil
	}
}

// field takes a field as it was decoded.
func (h *head) field(f hpack.HeaderField) {
	switch {
	case h.malformed || h.tooLong:
	case strings.HasPrefix(f.Name, ":"):
		h.malformed = h.regular || h.trailer || !h.takePseudo(f)
	case !validName(f.Name) || !http1.ValidValue([]byte(f.Value)):
		h.malformed = true
	default:
		h.regular = true
		h.malformed = !h.takeRegular(f)
	}
}

// validName says that a field's name may be one, and is in lower case.
func validName(name string) bool {
	for i := range len(name) {
		if c := name[i]; c >= 'A' && c <= 'Z' {
			return false
		}
	}
	return http1.ValidName([]byte(name))
}

func (h *head) takePseudo(f hpack.HeaderField) (ok bool) {
	var which pseudo
	var to *string
	switch f.Name {
	case ":method":
		which, to, ok = hasMethod, &h.method, http1.ValidName([]byte(f.Value))
	case ":scheme":
		which, to, ok = hasScheme, &h.scheme, f.Value == "http" || f.Value == "https"
	case ":authority":
		which, to, ok = hasAuthority, &h.authority, http1.ValidTarget([]byte(f.Value))
	case ":path":
		which, to, ok = hasPath, &h.path, http1.ValidTarget([]byte(f.Value))
	case ":protocol":
		which, to, ok = hasProtocol, &h.protocol, http1.ValidName([]byte(f.Value))
	default:
		return false
	}
	ok = ok && h.seen&which == 0
	h.seen |= which
	*to = f.Value
	return ok
}

func (h *head) takeRegular(f hpack.HeaderField) (ok bool) {
	switch f.Name {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		return false // RFC 9113, 8.2.2
	case "te":
		return f.Value == "trailers"
	case "host":
		h.hosts++
		if h.seen&hasAuthority == 0 {
			h.authority = f.Value
		}
		return !h.trailer && h.hosts == 1 && h.authority == f.Value
	case "content-length":
		if h.length >= 0 || h.trailer {
			return false
		}
		h.length = http1.Number([]byte(f.Value))
		return h.length >= 0 && (f.Value[0] != '0' || f.Value == "0") // as in HTTP/1.1
	case "cookie":
		if len(h.cookies) > 0 {
			h.cookies = append(h.cookies, "; "...)
		}
		h.cookies = append(h.cookies, f.Value...)
	case "sec-websocket-key", "sec-websocket-accept":
		if h.isTunnel() {
			break // RFC 8441, 5.1: there are none; ours goes to the app
		}
		fallthrough
	default:
		h.lines = appendLine(h.lines, f.Name, f.Value)
	}
	h.tooLong = len(h.lines)+len(h.cookies) > maxHead
	return true
}

func appendLine(b []byte, name, value string) []byte {
	b = append(append(b, name...), ": "...)
	return append(append(b, value...), "\r\n"...)
}

// check looks at the head as a whole: RFC 9113, 8.3.1 and 8.5; RFC 8441, 4.
// ended says that nothing follows it.
func (h *head) check(ended bool) (ok bool) {
	const plain = hasMethod | hasScheme | hasPath
	need := plain
	switch {
	case h.malformed:
		return false
	case h.trailer:
		return ended
	case h.tooLong:
		return true // it is refused anyway
	case h.seen&hasProtocol != 0:
		need = plain | hasProtocol | hasAuthority
		if h.method != "CONNECT" {
			return false
		}
	case h.method == "CONNECT":
		return h.seen == hasMethod|hasAuthority
	}
	return h.seen&^hasAuthority == need&^hasAuthority && h.seen&need == need && h.validPath() && (!ended || h.length <= 0)
}

func (h *head) validPath() bool {
	return h.path[0] == '/' || h.path == "*" && h.method == "OPTIONS"
}

// isTunnel says that the client asks for a WebSocket.
func (h *head) isTunnel() bool { return h.protocol == "websocket" && h.method == "CONNECT" }

// isChunked says that the request's body comes in chunks.
func (h *head) isChunked(ended bool) bool { return !ended && h.length < 0 && !h.isTunnel() }

// text writes the head as HTTP/1.1. key is that of a WebSocket.
func (h *head) text(ended bool, key string) []byte {
	b := make([]byte, 0, len(h.method)+len(h.path)+len(h.authority)+len(h.lines)+len(h.cookies)+160)
	switch {
	case h.isTunnel():
		b = append(append(b, "GET "...), h.path...)
	case h.method == "CONNECT":
		b = append(append(b, "CONNECT "...), h.authority...)
	default:
		b = append(append(append(b, h.method...), ' '), h.path...)
	}
	b = append(b, " HTTP/1.1\r\n"...)
	if h.authority != "" {
		b = appendLine(b, "Host", h.authority)
	}
	switch {
	case h.isTunnel():
		b = append(b, "Connection: Upgrade, close\r\nUpgrade: websocket\r\n"...)
		b = appendLine(b, "Sec-WebSocket-Key", key)
	case h.isChunked(ended):
		b = append(b, "Connection: close\r\nTransfer-Encoding: chunked\r\n"...)
	default:
		b = append(b, "Connection: close\r\n"...)
		b = h.appendLength(b)
	}
	if len(h.cookies) > 0 {
		b = append(append(append(b, "Cookie: "...), h.cookies...), "\r\n"...)
	}
	b = append(b, h.lines...)
	if h.tooLong {
		return b // the reader refuses it before it ends
	}
	return append(b, "\r\n"...)
}

// appendLength appends the length of the body; methods that are about one have
// it always, as RFC 9110, 8.6 asks.
func (h *head) appendLength(b []byte) []byte {
	if h.length < 0 && h.method != "POST" && h.method != "PUT" && h.method != "PATCH" {
		return b
	}
	b = strconv.AppendInt(append(b, "Content-Length: "...), max(h.length, 0), 10)
	return append(b, "\r\n"...)
}

// newKey makes the key of a WebSocket: RFC 6455, 4.1.
func newKey() string {
	var b [16]byte
	rand.Read(b[:]) // it never fails
	return base64.StdEncoding.EncodeToString(b[:])
}
