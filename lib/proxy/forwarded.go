package proxy

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"time"

	"passenger/lib/http1"
	"passenger/lib/proxy/fronted"
)

const maxID = 64 // bytes of a request ID

// makeID takes the request ID of a trusted client, else makes one.
func (q *request) makeID() {
	if q.client.trusted {
		if v := q.Find(http1.XRequestID); validID(v) {
			q.idLen = copy(q.id[:], v)
			return
		}
	}
	q.idLen = len(appendRandom(appendRandom(q.id[:0])))
}

// appendRandom appends 16 random hexadecimal digits.
func appendRandom(b []byte) []byte {
	const hex = "0123456789abcdef"
	n := rand.Uint64()
	for range 16 {
		b = append(b, hex[n&15])
		n >>= 4
	}
	return b
}

// makesTrace says that the request begins a trace here: it brings none, or
// something that is none.
func (q *request) makesTrace() bool {
	return q.client.proxy.TraceParent && !validTrace(q.Find(http1.TraceParent))
}

// validTrace says that v is a traceparent (W3C Trace Context, 3.2.2). Later
// versions may have more at its end.
func validTrace(v []byte) bool {
	const length = len("00-00000000000000000000000000000000-0000000000000000-00")
	if len(v) < length || v[2] != '-' || v[35] != '-' || v[52] != '-' {
		return false
	}
	version, trace, parent, flags := v[:2], v[3:35], v[36:52], v[53:length]
	for _, part := range [][]byte{version, trace, parent, flags} {
		if !http1.Only(part, "0123456789abcdef") {
			return false
		}
	}
	if string(version) == "ff" || http1.Only(trace, "0") || http1.Only(parent, "0") {
		return false
	}
	return len(v) == length || string(version) != "00" && v[length] == '-'
}

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
	if q.client.trusted && q.Find(http1.XRequestID) != nil {
		b = appendRandom(appendRandom(b))
	} else {
		b = append(b, q.id[:q.idLen]...)
	}
	return append(appendRandom(append(b, '-')), "-01"...)
}

func validID(v []byte) bool {
	for _, c := range v {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' && c != ':' && c != '=' && c != '/' && c != '+' {
			return false
		}
	}
	return len(v) > 0 && len(v) <= maxID
}

// forwarded is what the proxy tells the app of the client.
type forwarded struct {
	proto, host, port []byte
	name, namePort    []byte // of the server: the Host's parts
	https             bool
}

var (
	schemeHTTP  = []byte("http")
	schemeHTTPS = []byte("https")
	port80      = []byte("80")
	port443     = []byte("443")
	localhost   = []byte("localhost")
)

func (q *request) forwarded() (f forwarded) {
	f.proto, f.host = schemeHTTP, q.Host
	if f.host == nil {
		f.host = localhost
	}
	f.name, f.namePort = http1.SplitHost(f.host)
	if q.client.secure {
		f.proto, f.https = schemeHTTPS, true
	}
	if q.client.trusted {
		f.override(&q.Request)
	} else if s := q.client.stranger; s != nil {
		q.disbelieve(s)
	} else if c := q.client; !c.secure && !c.claimed && http1.EqualFold(q.Find(http1.XForwardedProto), "https") {
		c.claimed = true
		c.proxy.disbelieved.overTCP(c.addr)
	}
	if q.client.headers.Flagged(fronted.Secure) {
		f.proto, f.https = schemeHTTPS, true
	}
	if len(f.namePort) == 0 {
		f.namePort = port80
		if f.https {
			f.namePort = port443
		}
	}
	if f.port == nil {
		f.port = f.namePort
	}
	return f
}

// override takes over what a trusted client says, as far as it can be what it
// is said to be: apps make addresses of it.
func (f *forwarded) override(r *http1.Request) {
	if v := r.Find(http1.XForwardedProto); each(v, validScheme) {
		f.proto = plainSchemes(v)
		first, _ := http1.NextToken(f.proto)
		f.https = http1.EqualFold(first, "https")
	}
	if v := r.Find(http1.XForwardedHost); each(v, http1.ValidHost) {
		f.host = v
	}
	if v := r.Find(http1.XForwardedPort); each(v, validPort) {
		f.port = v
	}
}

// plainSchemes is a list of schemes with https in the place of wss, and http in
// that of ws: so some proxies call the scheme of a request that asks for a
// WebSocket (RFC 6455, 3), while apps know that of HTTP. v is returned if it has
// none of them.
func plainSchemes(v []byte) []byte {
	switch {
	case http1.EqualFold(v, "wss"):
		return schemeHTTPS
	case http1.EqualFold(v, "ws"):
		return schemeHTTP
	case bytes.IndexByte(v, ',') < 0:
		return v
	}
	changed, list := false, make([]byte, 0, 2*len(v))
	for rest := v; rest != nil; {
		var element []byte
		element, rest = http1.NextToken(rest)
		scheme := plainSchemes(element)
		changed = changed || !bytes.Equal(scheme, element)
		if list = append(list, scheme...); rest != nil {
			list = append(list, ", "...)
		}
	}
	if !changed {
		return v
	}
	return list
}

// each says that v is a list whose elements are all valid.
func each(v []byte, valid func([]byte) bool) bool {
	if len(v) == 0 {
		return false
	}
	for v != nil {
		var element []byte
		if element, v = http1.NextToken(v); !valid(element) {
			return false
		}
	}
	return true
}

func validScheme(v []byte) bool {
	return len(v) > 0 && http1.Only(v, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
}

func validPort(v []byte) bool { return len(v) > 0 && len(v) <= 5 && http1.Only(v, "0123456789") }

// appendChain appends the value of X-Forwarded-For: whom a trusted client
// names, and the client itself. It is empty for a unix socket that names none.
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
