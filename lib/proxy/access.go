package proxy

import (
	"strconv"
	"time"

	"passenger/lib/http1"
)

// An AccessFormat is what a line of the access log looks like.
type AccessFormat string

// The formats: those of Apache's CustomLog, the last of them between the host
// and what only we know, and JSON with the names of the Elastic Common Schema.
const (
	AccessCommon   AccessFormat = "common"
	AccessCombined AccessFormat = "combined"
	AccessVHost    AccessFormat = "vhost"
	AccessJSON     AccessFormat = "json"
)

// statusGone is logged for a client that did not wait for its answer; it is
// nginx's.
const statusGone = 499

// log writes the exchange, which has ended, to the access log.
func (x *exchange) log() {
	p := x.client.proxy
	if p.AccessLog == nil || x.idLen == 0 {
		return // no request came
	}
	if x.status == 0 {
		x.status = statusGone
	}
	p.AccessLog.add(func(b []byte) []byte {
		switch p.AccessFormat {
		case AccessJSON:
			return x.appendECS(b)
		case AccessCombined:
			b = x.appendCombined(b)
		case AccessVHost:
			b = x.appendCombined(append(x.appendHost(b), ' '))
			b = x.appendServed(append(b, ' '))
		default:
			b = x.appendCommon(b)
		}
		return append(b, '\n')
	})
}

// bodyBytes is how much of the answer's body the client took.
func (x *exchange) bodyBytes() int64 { return max(x.client.sent-x.sentBefore, 0) }

func (x *exchange) appendCommon(b []byte) []byte {
	n := len(b)
	if b = x.appendAddr(b); len(b) == n {
		b = append(b, '-')
	}
	if user := x.told(remoteUser); user != nil {
		b = append(appendEscaped(append(b, " - "...), user), " ["...)
	} else {
		b = append(b, " - - ["...)
	}
	b = append(b, x.client.proxy.dates.at(x.began).common...)
	b = append(b, `] "`...)
	if x.req.Method == nil {
		b = append(b, '-') // it was not understood
	} else {
		b = append(appendEscaped(b, x.req.Method), ' ')
		b = append(appendEscaped(b, x.req.Target), " HTTP/"...)
		b = x.appendVersion(b)
	}
	b = append(b, '"', ' ')
	b = strconv.AppendInt(b, int64(x.status), 10)
	b = append(b, ' ')
	return strconv.AppendInt(b, x.bodyBytes(), 10)
}

func (x *exchange) appendCombined(b []byte) []byte {
	b = x.appendCommon(b)
	b = appendQuoted(append(b, ' '), x.req.Find(http1.Referer))
	return appendQuoted(append(b, ' '), x.req.Find(http1.UserAgent))
}

// appendHost appends the host that was asked for, as the client wrote it, and a
// dash if it named none.
func (x *exchange) appendHost(b []byte) []byte {
	if x.req.Method == nil || len(x.req.Host) == 0 {
		return append(b, '-')
	}
	return appendEscaped(b, x.req.Host)
}

// appendServed appends the app and the seconds from the request to the end of
// its answer.
func (x *exchange) appendServed(b []byte) []byte {
	if x.mount == nil {
		b = append(b, '-')
	} else {
		b = append(b, x.mount.app.name...)
	}
	return strconv.AppendFloat(append(b, ' '), time.Since(x.began).Seconds(), 'f', 3, 64)
}

// appendVersion appends the version that the client speaks.
func (x *exchange) appendVersion(b []byte) []byte {
	if x.client.http2 {
		return append(b, "2.0"...)
	}
	return append(b, '1', '.', '0'+x.req.Minor)
}

// appendECS appends a JSON line. Times are in the units of the schema,
// nanoseconds, and ours in seconds.
func (x *exchange) appendECS(b []byte) []byte {
	b = append(b, `{"@timestamp":"`...)
	b = append(b, x.client.proxy.dates.at(x.began).iso...)
	ms := x.began.Nanosecond() / 1e6
	b = append(b, '.', '0'+byte(ms/100), '0'+byte(ms/10%10), '0'+byte(ms%10))
	b = append(b, `Z","ecs.version":"8.11.0","event.dataset":"passenger.access","event.duration":`...)
	b = strconv.AppendInt(b, int64(time.Since(x.began)), 10)
	if x.req.Method != nil {
		b = x.appendAsked(b)
	}
	b = append(b, `,"http.response.status_code":`...)
	b = strconv.AppendInt(b, int64(x.status), 10)
	b = append(b, `,"http.response.body.bytes":`...)
	b = strconv.AppendInt(b, x.bodyBytes(), 10)
	b = appendMember(b, "http.request.id", x.id[:x.idLen])
	var addr [maxAddr]byte
	b = appendMember(b, "source.ip", x.appendAddr(addr[:0]))
	b = appendMember(b, "user.name", x.told(remoteUser))
	b = appendMember(b, "user_agent.original", x.req.Find(http1.UserAgent))
	b = appendMember(b, "http.request.referrer", x.req.Find(http1.Referer))
	if x.mount != nil {
		b = appendMember(b, "service.name", []byte(x.mount.app.name))
	}
	if t := x.target.Load(); t != nil {
		b = append(b, `,"process.pid":`...)
		b = strconv.AppendInt(b, int64(t.pid), 10)
		b = appendMember(b, "passenger.process.id", []byte(t.id))
	}
	b = append(b, `,"passenger.queue_seconds":`...)
	b = strconv.AppendFloat(b, x.waited.Seconds(), 'f', 6, 64)
	return append(b, "}\n"...)
}

// appendAsked appends what a request that was understood asked for.
func (x *exchange) appendAsked(b []byte) []byte {
	b = append(b, `,"http.version":"`...)
	b = append(x.appendVersion(b), '"')
	b = appendMember(b, "http.request.method", x.req.Method)
	b = appendMember(b, "url.original", x.req.Target)
	domain, port := http1.SplitHost(x.req.Host)
	b = appendMember(b, "url.domain", domain)
	if len(port) > 0 {
		b = append(b, `,"url.port":`...)
		b = strconv.AppendInt(b, http1.Number(port), 10)
	}
	return b
}

// appendMember appends a member with a string, none if v is empty.
func appendMember(b []byte, name string, v []byte) []byte {
	if len(v) == 0 {
		return b
	}
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `":"`...)
	// Bytes beyond ASCII as Latin-1, which is what they are in a header.
	return append(appendPlain(b, v, `\u00`), '"')
}

// appendPlain appends v with every byte that is no printable ASCII as code and
// two hexadecimal digits, and a backslash before those that mean something.
func appendPlain(b, v []byte, code string) []byte {
	for {
		n := plainLength(v)
		b = append(b, v[:n]...)
		if n == len(v) {
			return b
		}
		if c := v[n]; c == '"' || c == '\\' {
			b = append(b, '\\', c)
		} else {
			b = append(append(b, code...), hexDigits[c>>4], hexDigits[c&15])
		}
		v = v[n+1:]
	}
}

// plainLength is how many bytes of v, from its start, stand for themselves in
// every format.
func plainLength(v []byte) int {
	for i, c := range v {
		if !plain[c] {
			return i
		}
	}
	return len(v)
}

var plain = func() (t [256]bool) {
	for c := ' '; c < 0x7f; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

const hexDigits = "0123456789abcdef"

// appendQuoted appends v in quotes, a dash in them if it is empty.
func appendQuoted(b, v []byte) []byte {
	b = append(b, '"')
	if len(v) == 0 {
		b = append(b, '-')
	}
	return append(appendEscaped(b, v), '"')
}

// appendEscaped appends v so that it neither ends its field nor is a command
// to a terminal.
func appendEscaped(b, v []byte) []byte { return appendPlain(b, v, `\x`) }
