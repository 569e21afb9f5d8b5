package accesslog

import (
	"bytes"
	"crypto/tls"
	"strconv"
	"strings"

	"passenger/lib/http1"
)

// ecsVersion is the version of the Elastic Common Schema whose names are used;
// output.ECSVersion is the same.
const ecsVersion = "9.4.0"

// appendECS appends a JSON line. Times are in the units of the schema,
// nanoseconds, and ours in seconds. ecs-logging wants the time, level and
// message first.
func (r *Record) appendECS(b []byte, s *second) []byte {
	b = append(b, `{"@timestamp":"`...)
	b = append(b, s.iso...)
	ms := r.Began.Nanosecond() / 1e6
	b = append(b, '.', '0'+byte(ms/100), '0'+byte(ms/10%10), '0'+byte(ms%10))
	b = append(b, `Z","log.level":"`...)
	b = append(b, r.level()...)
	b = append(b, `","message":"`...)
	b = r.appendMessage(b)
	b = append(b, `","ecs.version":"`+ecsVersion+`","event.kind":"event","event.category":["web"],"event.type":["access"],`+
		`"event.dataset":"passenger.access","event.outcome":"`...)
	b = append(b, r.outcome()...)
	b = append(b, `","event.duration":`...)
	b = strconv.AppendInt(b, int64(r.Took), 10)
	if r.Request.Method != nil {
		b = r.appendAsked(b)
	}
	b = append(b, `,"http.response.status_code":`...)
	b = strconv.AppendInt(b, int64(r.Status), 10)
	b = append(b, `,"http.response.body.bytes":`...)
	b = strconv.AppendInt(b, r.Bytes, 10)
	b = appendMember(b, "http.request.id", r.ID)
	b = appendMember(b, "trace.id", r.Trace)
	b = appendMember(b, "client.ip", r.Addr)
	b = appendMember(b, "source.ip", r.Addr)
	b = appendMember(b, "user.name", r.User)
	b = appendMember(b, "user_agent.original", r.Request.Find(http1.UserAgent))
	b = appendMember(b, "http.request.referrer", r.Request.Find(http1.Referer))
	b = r.TLS.appendECS(b)
	b = appendMember(b, "service.name", r.App)
	if r.Process != "" {
		b = append(b, `,"process.pid":`...)
		b = strconv.AppendInt(b, int64(r.PID), 10)
		b = appendMember(b, "passenger.process.id", r.Process)
	}
	b = append(b, `,"passenger.queue_seconds":`...)
	b = strconv.AppendFloat(b, r.Waited.Seconds(), 'f', 6, 64)
	return append(b, "}\n"...)
}

// level is "error" for what is a server's fault.
func (r *Record) level() string {
	if r.Status >= 500 {
		return "error"
	}
	return "info"
}

// outcome is the client's: it got what it asked for, or was sent to where that
// is.
func (r *Record) outcome() string {
	if r.Status >= 400 {
		return "failure"
	}
	return "success"
}

// appendMessage appends what people read in a list of lines. A query may hold
// what is private, and has a field of its own.
func (r *Record) appendMessage(b []byte) []byte {
	if r.Request.Method == nil {
		b = append(b, "request not understood"...)
	} else {
		b = append(appendPlain(b, r.Request.Method, `\u00`), ' ')
		path := r.Request.Path
		if path == nil { // the head was refused before its target was taken apart
			path, _, _ = bytes.Cut(r.Request.Target, []byte{'?'})
		}
		b = appendPlain(b, path, `\u00`)
	}
	return strconv.AppendInt(append(b, ' '), int64(r.Status), 10)
}

// appendAsked appends what a request that was understood asked for.
func (r *Record) appendAsked(b []byte) []byte {
	b = append(b, `,"http.version":"`...)
	b = append(r.appendVersion(b), '"')
	b = appendMember(b, "http.request.method", r.Request.Method)
	b = appendMember(b, "url.original", r.Request.Target)
	b = appendMember(b, "url.path", r.Request.Path)
	b = appendMember(b, "url.query", r.Request.Query)
	domain, port := http1.SplitHost(r.Request.Host)
	b = appendMember(b, "url.domain", domain)
	if len(port) > 0 {
		b = append(b, `,"url.port":`...)
		b = strconv.AppendInt(b, http1.Number(port), 10)
	}
	return b
}

// A TLS is what a line says of the TLS of its connection. Nil is none.
type TLS struct {
	version, cipher, server, protocol string
	resumed                           bool
}

// NewTLS is what lines say of a connection in that state.
func NewTLS(s tls.ConnectionState) *TLS {
	return &TLS{
		version: strings.TrimPrefix(tls.VersionName(s.Version), "TLS "), cipher: tls.CipherSuiteName(s.CipherSuite),
		server: s.ServerName, protocol: s.NegotiatedProtocol, resumed: s.DidResume,
	}
}

func (t *TLS) appendECS(b []byte) []byte {
	if t == nil {
		return b
	}
	b = append(b, `,"tls.version_protocol":"tls"`...)
	b = appendMember(b, "tls.version", t.version)
	b = appendMember(b, "tls.cipher", t.cipher)
	b = appendMember(b, "tls.client.server_name", t.server)
	b = appendMember(b, "tls.next_protocol", t.protocol)
	b = append(b, `,"tls.resumed":`...)
	return strconv.AppendBool(b, t.resumed)
}
