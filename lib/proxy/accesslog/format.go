package accesslog

import (
	"strconv"
	"time"

	"passenger/lib/http1"
)

// A Format is what a line of the log looks like.
type Format string

// The formats: those of Apache's CustomLog, the last of them between the host
// and what only we know, and JSON with the names of the Elastic Common Schema.
const (
	Common   Format = "common"
	Combined Format = "combined"
	VHost    Format = "vhost"
	JSON     Format = "json"

	// Short is for who develops an app and watches a terminal: each line is
	// written at once.
	Short Format = "short"
)

// append appends r as a line. s is the second in which it began.
func (f Format) append(b []byte, r *Record, s *second) []byte {
	switch f {
	case JSON:
		return r.appendECS(b, s)
	case Short:
		b = r.appendShort(b)
	case Combined:
		b = r.appendCombined(b, s)
	case VHost:
		b = r.appendCombined(append(r.appendHost(b), ' '), s)
		b = r.appendServed(append(b, ' '))
	default:
		b = r.appendCommon(b, s)
	}
	return append(b, '\n')
}

// appendShort appends method, path, status and time, and of a request that a
// process answered the time in the queue, the app and the process.
func (r *Record) appendShort(b []byte) []byte {
	if r.Request.Method == nil {
		b = append(b, '-') // it was not understood
	} else {
		b = append(appendEscaped(b, r.Request.Method), ' ')
		b = appendEscaped(b, r.Request.Target)
	}
	b = strconv.AppendInt(append(b, ' '), int64(r.Status), 10)
	b = appendMilliseconds(append(b, ' '), r.Took)
	if r.PID == 0 {
		return b
	}
	b = appendMilliseconds(append(b, " queue "...), r.Waited)
	b = append(append(append(b, ' '), r.App...), '[')
	return append(strconv.AppendInt(b, int64(r.PID), 10), ']')
}

func appendMilliseconds(b []byte, d time.Duration) []byte {
	return append(strconv.AppendFloat(b, float64(d)/float64(time.Millisecond), 'f', 1, 64), "ms"...)
}

func (r *Record) appendCommon(b []byte, s *second) []byte {
	if b = append(b, r.Addr...); len(r.Addr) == 0 {
		b = append(b, '-')
	}
	if r.User != nil {
		b = append(appendEscaped(append(b, " - "...), r.User), " ["...)
	} else {
		b = append(b, " - - ["...)
	}
	b = append(b, s.common...)
	b = append(b, `] "`...)
	if r.Request.Method == nil {
		b = append(b, '-') // it was not understood
	} else {
		b = append(appendEscaped(b, r.Request.Method), ' ')
		b = append(appendEscaped(b, r.Request.Target), " HTTP/"...)
		b = r.appendVersion(b)
	}
	b = append(b, '"', ' ')
	b = strconv.AppendInt(b, int64(r.Status), 10)
	b = append(b, ' ')
	return strconv.AppendInt(b, r.Bytes, 10)
}

func (r *Record) appendCombined(b []byte, s *second) []byte {
	b = r.appendCommon(b, s)
	b = appendQuoted(append(b, ' '), r.Request.Find(http1.Referer))
	return appendQuoted(append(b, ' '), r.Request.Find(http1.UserAgent))
}

// appendHost appends the host that was asked for, as the client wrote it, and a
// dash if it named none.
func (r *Record) appendHost(b []byte) []byte {
	if r.Request.Method == nil || len(r.Request.Host) == 0 {
		return append(b, '-')
	}
	return appendEscaped(b, r.Request.Host)
}

// appendServed appends the app and the seconds from the request to the end of
// its answer.
func (r *Record) appendServed(b []byte) []byte {
	if b = append(b, r.App...); r.App == "" {
		b = append(b, '-')
	}
	return strconv.AppendFloat(append(b, ' '), r.Took.Seconds(), 'f', 3, 64)
}

// appendVersion appends the version that the client speaks.
func (r *Record) appendVersion(b []byte) []byte {
	if r.HTTP2 {
		return append(b, "2.0"...)
	}
	return append(b, '1', '.', '0'+r.Request.Minor)
}

// appendMember appends a member with a string, none if v is empty.
func appendMember[T string | []byte](b []byte, name string, v T) []byte {
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
func appendPlain[T string | []byte](b []byte, v T, code string) []byte {
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
func plainLength[T string | []byte](v T) int {
	for i := range len(v) {
		if !plain[v[i]] {
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
