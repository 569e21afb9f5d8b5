package http1

import (
	"bytes"
	"encoding/binary"
)

// A Name tells fields apart that a proxy treats specially.
type Name uint8

// Other is any field without a name here. Odd is one whose name has a byte
// outside [A-Za-z0-9-]: what turns names into CGI variables folds several such
// names into one, so that it could pass for a field of ours.
const (
	Other Name = iota
	Odd
	Host
	Connection
	ContentLength
	TransferEncoding
	KeepAlive
	ProxyConnection
	ProxyAuthenticate
	ProxyAuthorization
	TE
	Trailer
	Upgrade
	Expect
	HTTP2Settings
	Proxy
	Accept
	Cookie
	ContentType
	Date
	Forwarded
	XForwardedFor
	XForwardedHost
	XForwardedPort
	XForwardedProto
	XForwardedOther // X-Forwarded- and anything else
	XRealIP
	XRequestID
	XRequestStart
	TraceParent
	TraceState
	Referer
	UserAgent
	AcceptEncoding
	XSendfileType
	XAccelMapping

	lastName = XAccelMapping
)

var names = [...]struct {
	text string // lower case
	name Name
}{
	{"te", TE},
	{"host", Host}, {"date", Date},
	{"proxy", Proxy},
	{"accept", Accept}, {"cookie", Cookie}, {"expect", Expect},
	{"upgrade", Upgrade}, {"trailer", Trailer}, {"referer", Referer},
	{"forwarded", Forwarded}, {"x-real-ip", XRealIP},
	{"connection", Connection}, {"keep-alive", KeepAlive}, {"user-agent", UserAgent}, {"tracestate", TraceState},
	{"traceparent", TraceParent},
	{"content-type", ContentType}, {"x-request-id", XRequestID},
	{"content-length", ContentLength}, {"http2-settings", HTTP2Settings},
	{"x-request-start", XRequestStart}, {"accept-encoding", AcceptEncoding}, {"x-forwarded-for", XForwardedFor},
	{"x-sendfile-type", XSendfileType}, {"x-accel-mapping", XAccelMapping},
	{"proxy-connection", ProxyConnection}, {"x-forwarded-host", XForwardedHost}, {"x-forwarded-port", XForwardedPort},
	{"transfer-encoding", TransferEncoding}, {"x-forwarded-proto", XForwardedProto},
	{"proxy-authenticate", ProxyAuthenticate},
	{"proxy-authorization", ProxyAuthorization},
}

const longestName = 19

// byLength holds for each length where in names the entries of that length
// begin; they end where those of the next length begin.
var byLength = func() (at [longestName + 2]uint8) {
	n := 0
	for l := range at {
		for n < len(names) && len(names[n].text) < l {
			n++
		}
		at[l] = uint8(n)
	}
	return at
}()

func nameOf(name []byte) Name {
	if len(name) <= longestName {
		for _, e := range names[byLength[len(name)]:byLength[len(name)+1]] {
			if EqualFold(name, e.text) {
				return e.name
			}
		}
	}
	if len(name) > len("x-forwarded-") && name[0]|0x20 == 'x' && EqualFold(name[:len("x-forwarded-")], "x-forwarded-") {
		return XForwardedOther
	}
	return Other
}

// EqualFold reports whether b is lower, which is in lower case, in any case of
// ASCII letters. b consists of token characters.
func EqualFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if c|0x20 != lower[i] {
			return false
		}
	}
	return true
}

// Kinds of bytes, as bits.
const (
	isToken  = 1 << iota // in a method or field name
	isPlain              // a letter, digit or dash
	isText               // in a field value
	isTarget             // in a request target
	isHost               // in a host's name
	isHex
)

var kinds = func() (k [256]uint8) {
	for c := range 256 {
		b := byte(c)
		letter := b|0x20 >= 'a' && b|0x20 <= 'z'
		digit := b >= '0' && b <= '9'
		if letter || digit || bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), b) >= 0 {
			k[c] |= isToken
		}
		if letter || digit || b == '-' {
			k[c] |= isPlain
		}
		if b == '\t' || b >= ' ' && b != 0x7f {
			k[c] |= isText
		}
		if b > ' ' && b != 0x7f && b != '#' {
			k[c] |= isTarget
		}
		// reg-name of RFC 3986.
		if letter || digit || bytes.IndexByte([]byte("-._~%!$&'()*+,;="), b) >= 0 {
			k[c] |= isHost
		}
		if digit || b|0x20 >= 'a' && b|0x20 <= 'f' {
			k[c] |= isHex
		}
	}
	return k
}()

// all reports whether every byte of b is of the kind.
func all(b []byte, kind uint8) bool {
	for _, c := range b {
		if kinds[c]&kind == 0 {
			return false
		}
	}
	return true
}

// validValue reports whether b may be a field's value. Eight bytes at a time:
// values are most of a head.
func validValue(b []byte) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for len(b) >= 8 {
		v := binary.LittleEndian.Uint64(b)
		low := (v - ones*0x20) & ^v & high // a byte below 0x20
		del := v ^ ones*0x7f
		del = (del - ones) & ^del & high // a byte equal to 0x7f
		if low|del != 0 && !all(b[:8], isText) {
			return false
		}
		b = b[8:]
	}
	return all(b, isText)
}

// trim cuts spaces and tabs off both ends.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// NextToken cuts the next element off a comma-separated list. An empty element
// is returned as such.
func NextToken(list []byte) (token, rest []byte) {
	if i := bytes.IndexByte(list, ','); i >= 0 {
		return trim(list[:i]), list[i+1:]
	}
	return trim(list), nil
}

// number reads a decimal number without sign. It returns -1 if b is none or
// over 18 digits, which is less than 2^60.
func number(b []byte) int64 {
	if len(b) == 0 || len(b) > 18 {
		return -1
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int64(c-'0')
	}
	return n
}
