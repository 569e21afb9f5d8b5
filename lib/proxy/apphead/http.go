package apphead

import (
	"strconv"

	"passenger/lib/http1"
	"passenger/lib/proxy/forwarded"
	"passenger/lib/proxy/tunnel"
)

// AppendHTTP appends the request's head for a process that speaks HTTP. asked says
// that it is to tell the client to send the body.
func (h *Head) AppendHTTP(b []byte, asked bool) []byte {
	r, f := h.Request, &h.Claims
	b = append(b, r.Method...)
	b = append(b, ' ')
	b = AppendTarget(b, h.Request)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	if r.Host != nil {
		b = append(b, r.Host...)
	} else {
		b = append(b, forwarded.Localhost...)
	}
	b = append(b, "\r\n"...)
	without := &fromClient
	if h.Trusted {
		without = &fromTrusted
	}
	for i := range r.Count() {
		if !h.ends(without, i) {
			b = append(b, r.Line(i)...)
			b = append(b, "\r\n"...)
		}
	}
	if h.AddsAll {
		b = h.appendVia(b)
	}
	if asked {
		b = append(b, "Expect: 100-continue\r\n"...)
	}
	b = h.appendForwarded(b, f)
	if h.traces() {
		b = append(h.appendTrace(append(b, "Traceparent: "...)), "\r\n"...)
	}
	switch {
	case h.Request.Chunked:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	case h.Request.ContentLength >= 0:
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, h.Request.ContentLength, 10)
		b = append(b, "\r\n"...)
	}
	if s := h.Sendfile; s != nil {
		b = append(b, s.Lines...)
	}
	if h.Upgrade {
		b = http1.AppendList(append(b, "Connection: Upgrade\r\nUpgrade: "...), tunnel.Wanted(h.Request))
		b = append(b, "\r\n"...)
	}
	return append(b, "\r\n"...)
}

func (h *Head) appendVia(b []byte) []byte {
	switch {
	case h.HTTP2:
		return append(b, "Via: 2.0 passenger\r\n"...)
	case h.Request.Minor > 0:
		return append(b, "Via: 1.1 passenger\r\n"...)
	}
	return append(b, "Via: 1.0 passenger\r\n"...)
}

// appendForwarded appends what the app cannot know by itself. Each header costs
// an app in Node.js about a microsecond: so those that tell the same as others,
// or that monitoring agents alone read, are for apps that want them, and for
// what a trusted client has said in them.
func (h *Head) appendForwarded(b []byte, f *forwarded.Claims) []byte {
	b = append(b, "X-Forwarded-For: "...)
	n := len(b)
	if b = h.appendChain(b); len(b) > n {
		b = append(b, "\r\n"...)
	} else {
		b = b[:n-len("X-Forwarded-For: ")]
	}
	b = append(append(b, "X-Forwarded-Proto: "...), f.Proto...)
	if h.adds(http1.XForwardedHost) {
		b = append(append(b, "\r\nX-Forwarded-Host: "...), f.Host...)
	}
	if h.adds(http1.XForwardedPort) {
		b = append(append(b, "\r\nX-Forwarded-Port: "...), f.Port...)
	}
	b = append(append(b, "\r\nX-Request-Id: "...), h.ID...)
	if h.adds(http1.XRequestStart) {
		b = h.appendStart(append(b, "\r\nX-Request-Start: "...))
	}
	return append(b, "\r\n"...)
}

// adds says whether the request gets a header that few apps read.
func (h *Head) adds(kind http1.Name) bool {
	return h.AddsAll || h.Trusted && h.Request.Find(kind) != nil
}
