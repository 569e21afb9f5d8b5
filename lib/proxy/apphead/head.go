// Package apphead writes the head of a request as a process gets it: as HTTP, or as
// a block of variables for the session protocol. It leaves out what ends at this
// proxy and adds what the app cannot know by itself.
package apphead

import (
	"strconv"
	"time"

	"passenger/lib/http1"
	"passenger/lib/proxy/files"
	"passenger/lib/proxy/forwarded"
	"passenger/lib/proxy/fronted"
)

// A Head is what the head is made of.
type Head struct {
	Request *http1.Request
	Claims  forwarded.Claims
	Upgrade bool // it asks for another protocol, and may

	// The client: its address and port, empty for a unix socket, unless Headers,
	// nil for a client that may send none, name another.
	Addr, Port string
	Headers    *fronted.Headers
	Trusted    bool // it may say whom it asks for
	HTTP2      bool

	Began     time.Time
	ID        []byte // of the request
	ForeignID bool   // the client named the request, so that no trace is called so
	NewTrace  bool   // a trace begins here

	// Traceparent takes the place of the client's, nil for that one or NewTrace.
	// Continues says that it is of the same trace.
	Traceparent []byte
	Continues   bool

	// The app: its base URI, empty for the root, whether it wants headers
	// that few apps read, and which files its answers may name, nil for none.
	Base     string
	AddsAll  bool
	Sendfile *files.Sendfile

	Release string // of the proxy
}

// AppendTarget appends the target of r in origin form.
func AppendTarget(b []byte, r *http1.Request) []byte {
	switch {
	case r.Target[0] == '/':
		return append(b, r.Target...)
	case r.Whole: // RFC 9112, 3.2.4
		return append(b, '*')
	}
	b = append(b, r.Path...)
	if r.Query != nil {
		b = append(b, '?')
		b = append(b, r.Query...)
	}
	return b
}

// AppendPlace appends what follows the host in the URI of the request, which is
// nothing where it is for the server as a whole: RFC 9112, 3.2.4.
func AppendPlace(b []byte, r *http1.Request) []byte {
	if r.Whole {
		return b
	}
	return AppendTarget(b, r)
}

// ends says that a field of the request goes no further.
func (h *Head) ends(without *http1.Names, i int) bool {
	kind := h.Request.Kind(i)
	return without[kind] || h.Request.Hop(i) || h.traces() && (kind == http1.TraceParent || kind == http1.TraceState && !h.Continues)
}

// traces says that the app gets a traceparent of ours.
func (h *Head) traces() bool { return h.NewTrace || h.Traceparent != nil }

// appendTrace appends the value of the traceparent. A new one is sampled. Its trace is
// named like the request, if we made that name, so that logs and traces find
// each other.
func (h *Head) appendTrace(b []byte) []byte {
	if h.Traceparent != nil {
		return append(b, h.Traceparent...)
	}
	b = append(b, "00-"...)
	if h.ForeignID {
		b = forwarded.AppendRandom(forwarded.AppendRandom(b))
	} else {
		b = append(b, h.ID...)
	}
	return append(forwarded.AppendRandom(append(b, '-')), "-01"...)
}

// appendChain appends the value of X-Forwarded-For: the addresses that a trusted
// client names, and its own. It is empty for a unix socket that names none.
func (h *Head) appendChain(b []byte) []byte {
	start := len(b)
	if h.Trusted {
		for i := range h.Request.Count() {
			if h.Request.Kind(i) == http1.XForwardedFor && len(h.Request.Value(i)) > 0 {
				if len(b) > start {
					b = append(b, ", "...)
				}
				b = append(b, h.Request.Value(i)...)
			}
		}
	}
	n := len(b)
	if n > start {
		b = append(b, ", "...)
	}
	with := len(b)
	if b = h.Headers.AppendAddr(b, h.Request, h.Addr); len(b) == with {
		return b[:n]
	}
	return b
}

// appendStart appends the value of X-Request-Start, as nginx's t=${msec}.
func (h *Head) appendStart(b []byte) []byte {
	if h.Trusted {
		if v := h.Request.Find(http1.XRequestStart); len(v) > 0 {
			return append(b, v...)
		}
	}
	b = append(b, "t="...)
	b = strconv.AppendInt(b, h.Began.Unix(), 10)
	ms := h.Began.Nanosecond() / int(time.Millisecond)
	return append(b, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
}
