// Package forwarded judges what a client says of others: whom it speaks for, by
// which scheme, host and port they came, and in which trace. It knows who may say
// so, and what such words may consist of.
package forwarded

import (
	"bytes"
	"math/rand/v2"

	"passenger/lib/http1"
)

const MaxID = 64 // bytes of a request ID

// AppendRandom appends 16 random hexadecimal digits.
func AppendRandom(b []byte) []byte {
	const hex = "0123456789abcdef"
	n := rand.Uint64()
	for range 16 {
		b = append(b, hex[n&15])
		n >>= 4
	}
	return b
}

// ValidTrace says that v is a traceparent (W3C Trace Context, 3.2.2). Later
// versions may have more at its end.
func ValidTrace(v []byte) bool {
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

func ValidID(v []byte) bool {
	for _, c := range v {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' && c != ':' && c != '=' && c != '/' && c != '+' {
			return false
		}
	}
	return len(v) > 0 && len(v) <= MaxID
}

// Claims is what the proxy tells the app of the client.
type Claims struct {
	Proto, Host, Port []byte
	Name, NamePort    []byte // of the server: the Host's parts
	Https             bool
}

var (
	SchemeHTTP  = []byte("http")
	SchemeHTTPS = []byte("https")
	Port80      = []byte("80")
	Port443     = []byte("443")
	Localhost   = []byte("localhost")
)

// Override takes over what a trusted client says, as far as it can be what it
// is said to be: apps make addresses of it.
func (f *Claims) Override(r *http1.Request) {
	if v := r.Find(http1.XForwardedProto); each(v, validScheme) {
		f.Proto = plainSchemes(v)
		first, _ := http1.NextToken(f.Proto)
		f.Https = http1.EqualFold(first, "https")
	}
	if v := r.Find(http1.XForwardedHost); each(v, http1.ValidHost) {
		f.Host = v
	}
	if v := r.Find(http1.XForwardedPort); each(v, validPort) {
		f.Port = v
	}
}

// plainSchemes is a list of schemes with https in the place of wss, and http in
// that of ws: so some proxies call the scheme of a request that asks for a
// WebSocket (RFC 6455, 3), while apps know that of HTTP. v is returned if it has
// none of them.
func plainSchemes(v []byte) []byte {
	switch {
	case http1.EqualFold(v, "wss"):
		return SchemeHTTPS
	case http1.EqualFold(v, "ws"):
		return SchemeHTTP
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
