package proxy

import (
	"net/netip"
	"strconv"
	"time"

	"passenger/lib/http1"
	"passenger/lib/proxy/forwarded"
	"passenger/lib/proxy/fronted"
)

// makeID takes the request ID of a trusted client, else makes one.
func (q *request) makeID() {
	if q.client.trusted {
		if v := q.Find(http1.XRequestID); forwarded.ValidID(v) {
			q.idLen = copy(q.id[:], v)
			return
		}
	}
	q.idLen = len(forwarded.AppendRandom(forwarded.AppendRandom(q.id[:0])))
}

// makesTrace says that the request begins a trace here: it brings no valid one.
func (q *request) makesTrace() bool {
	return q.client.proxy.TraceParent && !forwarded.ValidTrace(q.Find(http1.TraceParent))
}

// traceID is the ID of the trace that the request belongs to: the one that its
// valid traceparent names, or the one that begins here. It is empty if there is none, or if
// we made one that is not named like the request.
func (q *request) traceID() []byte {
	switch v := q.Find(http1.TraceParent); {
	case forwarded.ValidTrace(v):
		return v[len("00-"):][:32]
	case q.client.proxy.TraceParent && !q.keepsID():
		return q.id[:q.idLen]
	}
	return nil
}

// keepsID says that the request's ID is the one that it brought, which need not be
// a trace's.
func (q *request) keepsID() bool { return q.client.trusted && q.Find(http1.XRequestID) != nil }

// ends says that a field of the request goes no further.
func (q *request) ends(without *http1.Names, i int, newTrace bool) bool {
	kind := q.Kind(i)
	return without[kind] || q.Hop(i) || newTrace && kind == http1.TraceParent
}

// appendTrace appends the value of a new traceparent, sampled. Its trace is
// named like the request, if we made that name, so that logs and traces find
// each other.
func (q *request) appendTrace(b []byte) []byte {
	b = append(b, "00-"...)
	if q.keepsID() {
		b = forwarded.AppendRandom(forwarded.AppendRandom(b))
	} else {
		b = append(b, q.id[:q.idLen]...)
	}
	return append(forwarded.AppendRandom(append(b, '-')), "-01"...)
}

func (q *request) forwarded() (f forwarded.Claims) {
	f.Proto, f.Host = forwarded.SchemeHTTP, q.Host
	if f.Host == nil {
		f.Host = forwarded.Localhost
	}
	f.Name, f.NamePort = http1.SplitHost(f.Host)
	if q.client.secure {
		f.Proto, f.Https = forwarded.SchemeHTTPS, true
	}
	if q.client.trusted {
		f.Override(&q.Request)
	} else if s := q.client.stranger; s != nil {
		q.client.proxy.disbelieved.OverUnix(s, &q.Request)
	} else if c := q.client; !c.secure && !c.claimed && http1.EqualFold(q.Find(http1.XForwardedProto), "https") {
		c.claimed = true
		c.proxy.disbelieved.OverTCP(c.addr)
	}
	if q.client.headers.Flagged(fronted.Secure) {
		f.Proto, f.Https = forwarded.SchemeHTTPS, true
	}
	if len(f.NamePort) == 0 {
		f.NamePort = forwarded.Port80
		if f.Https {
			f.NamePort = forwarded.Port443
		}
	}
	if f.Port == nil {
		f.Port = f.NamePort
	}
	return f
}

// appendChain appends the value of X-Forwarded-For: the addresses that a trusted
// client names, and its own. It is empty for a unix socket that names none.
func (q *request) appendChain(b []byte) []byte {
	start := len(b)
	if q.client.trusted {
		for i := range q.Count() {
			if q.Kind(i) == http1.XForwardedFor && len(q.Value(i)) > 0 {
				if len(b) > start {
					b = append(b, ", "...)
				}
				b = append(b, q.Value(i)...)
			}
		}
	}
	n := len(b)
	if n > start {
		b = append(b, ", "...)
	}
	with := len(b)
	if b = q.appendAddr(b); len(b) == with {
		return b[:n]
	}
	return b
}

// appendStart appends the value of X-Request-Start, as nginx's t=${msec}.
func (q *request) appendStart(b []byte) []byte {
	if q.client.trusted {
		if v := q.Find(http1.XRequestStart); len(v) > 0 {
			return append(b, v...)
		}
	}
	b = append(b, "t="...)
	b = strconv.AppendInt(b, q.began.Unix(), 10)
	ms := q.began.Nanosecond() / int(time.Millisecond)
	return append(b, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
}

// appendAddr appends the address of the client, nothing if it has none.
func (q *request) appendAddr(b []byte) []byte {
	if v := q.client.headers.Value(&q.Request, fronted.RemoteAddr); v != nil {
		return append(b, v...)
	}
	return append(b, q.client.addr...)
}

// origin is the address that the request counts for where addresses share. It is
// the zero one for clients without an address, and for those that a trusted client
// does not name: they may be many.
func (q *request) origin() netip.Addr {
	if v := q.client.headers.Value(&q.Request, fronted.RemoteAddr); v != nil {
		return forwarded.Origin(string(v))
	}
	if q.client.trusted {
		return forwarded.OriginBehind(&q.Request, q.client.proxy.trusts)
	}
	return forwarded.Origin(q.client.addr)
}

// appendPort appends its port; 0 for a client that a web server names without.
func (q *request) appendPort(b []byte) []byte {
	switch v := q.client.headers.Value(&q.Request, fronted.RemotePort); {
	case v != nil:
		return append(b, v...)
	case q.client.port == "" || q.client.headers.Value(&q.Request, fronted.RemoteAddr) != nil:
		return append(b, '0')
	}
	return append(b, q.client.port...)
}
