package proxy

import (
	"net/netip"

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

// beginTrace has the request join the trace that it names, or begin one, if a
// collector is to hear of requests.
func (q *request) beginTrace() {
	t := q.client.proxy.Traces
	if t == nil {
		return
	}
	var own []byte
	if !q.keepsID() {
		own = q.id[:q.idLen]
	}
	t.Begin(&q.span, &q.Request, own)
}

// makesTrace says that the request begins a trace here: it brings no valid one.
func (q *request) makesTrace() bool {
	return q.client.proxy.TraceParent && q.client.proxy.Traces == nil && !forwarded.ValidTrace(q.Find(http1.TraceParent))
}

// traceID is the ID of the trace that the request belongs to: the one that its
// valid traceparent names, or the one that begins here. It is empty if there is none, or if
// we made one that is not named like the request.
func (q *request) traceID() []byte {
	if id := q.span.TraceID(); id != nil {
		return id
	}
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
