package proxy

import (
	"strconv"

	"passenger/lib/http1"
	"passenger/lib/proxy/forwarded"
	"passenger/lib/proxy/fronted"
	"passenger/lib/proxy/tunnel"
)

// fromClient are the fields of a client that never reach the app as they are:
// those that end at this proxy, those that it sets itself, Proxy, which a CGI
// environment would turn into the proxy settings of a library, and those that
// tell Rack::Sendfile what to leave to the server, which would let a client
// have files past the app that guards them (CVE-2025-61780).
var fromClient = http1.Names{
	http1.Odd: true, http1.Host: true, http1.Connection: true, http1.ContentLength: true,
	http1.TransferEncoding: true, http1.KeepAlive: true, http1.ProxyConnection: true,
	http1.ProxyAuthenticate: true, http1.ProxyAuthorization: true, http1.TE: true,
	http1.Trailer: true, http1.Upgrade: true, http1.Expect: true, http1.HTTP2Settings: true,
	http1.Proxy: true, http1.Forwarded: true, http1.XForwardedFor: true, http1.XForwardedHost: true,
	http1.XForwardedPort: true, http1.XForwardedProto: true, http1.XForwardedOther: true,
	http1.XRealIP: true, http1.XRequestID: true, http1.XRequestStart: true,
	http1.XSendfileType: true, http1.XAccelMapping: true,
}

// fromTrusted are the same for a client that may say who it asks for. What it
// leaves out of X-Forwarded-* and X-Request-* is added.
var fromTrusted = func() http1.Names {
	n := fromClient
	n[http1.Forwarded], n[http1.XForwardedOther], n[http1.XRealIP] = false, false, false
	return n
}()

// sessionFromClient and sessionFromTrusted are those for the session
// protocol, which has a variable of its own for Content-Type.
var sessionFromClient, sessionFromTrusted = func() (c, t http1.Names) {
	c, t = fromClient, fromTrusted
	c[http1.ContentType], t[http1.ContentType] = true, true
	return c, t
}()

// appendTarget appends the target in origin form.
func (q *request) appendTarget(b []byte) []byte {
	switch {
	case q.Target[0] == '/':
		return append(b, q.Target...)
	case q.Whole: // RFC 9112, 3.2.4
		return append(b, '*')
	}
	b = append(b, q.Path...)
	if q.Query != nil {
		b = append(b, '?')
		b = append(b, q.Query...)
	}
	return b
}

// appendHTTP appends the request's head for a process that speaks HTTP. asked says
// that it is to tell the client to send the body.
func (s *session) appendHTTP(b []byte, asked bool) []byte {
	r, f := &s.req.Request, s.req.forwarded()
	b = append(b, r.Method...)
	b = append(b, ' ')
	b = s.req.appendTarget(b)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	if r.Host != nil {
		b = append(b, r.Host...)
	} else {
		b = append(b, forwarded.Localhost...)
	}
	b = append(b, "\r\n"...)
	without := &fromClient
	if s.req.client.trusted {
		without = &fromTrusted
	}
	newTrace := s.req.makesTrace()
	for i := range r.Count() {
		if !s.req.ends(without, i, newTrace) {
			b = append(b, r.Line(i)...)
			b = append(b, "\r\n"...)
		}
	}
	if s.req.client.http2 {
		b = append(b, "Via: 2.0 passenger\r\n"...)
	} else if r.Minor > 0 {
		b = append(b, "Via: 1.1 passenger\r\n"...)
	} else {
		b = append(b, "Via: 1.0 passenger\r\n"...)
	}
	if asked {
		b = append(b, "Expect: 100-continue\r\n"...)
	}
	b = append(b, "X-Forwarded-For: "...)
	n := len(b)
	if b = s.req.appendChain(b); len(b) > n {
		b = append(b, "\r\n"...)
	} else {
		b = b[:n-len("X-Forwarded-For: ")]
	}
	b = append(b, "X-Forwarded-Proto: "...)
	b = append(b, f.Proto...)
	b = append(b, "\r\nX-Forwarded-Host: "...)
	b = append(b, f.Host...)
	b = append(b, "\r\nX-Forwarded-Port: "...)
	b = append(b, f.Port...)
	b = append(b, "\r\nX-Request-Id: "...)
	b = append(b, s.req.id[:s.req.idLen]...)
	b = append(b, "\r\nX-Request-Start: "...)
	b = s.req.appendStart(b)
	b = append(b, "\r\n"...)
	if newTrace {
		b = append(s.req.appendTrace(append(b, "Traceparent: "...)), "\r\n"...)
	}
	switch {
	case s.req.Chunked:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	case s.req.ContentLength >= 0:
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, s.req.ContentLength, 10)
		b = append(b, "\r\n"...)
	}
	if s := s.process.Sendfile.Load(); s != nil {
		b = append(b, s.Lines...)
	}
	if s.req.upgrade {
		b = http1.AppendList(append(b, "Connection: Upgrade\r\nUpgrade: "...), tunnel.Wanted(&s.req.Request))
		b = append(b, "\r\n"...)
	}
	return append(b, "\r\n"...)
}

// appendSession returns, in b's memory, the request's block for a process that
// speaks the session protocol.
func (s *session) appendSession(b []byte) []byte {
	r, f := &s.req.Request, s.req.forwarded()
	b = http1.BeginBlock(b[:0])
	if r.Chunked {
		b = append(b, "CONTENT_LENGTH\x00\x00TRANSFER_ENCODING\x00chunked\x00"...)
	} else {
		b = append(b, "CONTENT_LENGTH\x00"...)
		b = strconv.AppendInt(b, max(r.ContentLength, 0), 10)
		b = append(b, 0)
	}
	b = append(b, "SCGI\x001\x00REQUEST_METHOD\x00"...)
	b = append(b, r.Method...)
	b = append(b, "\x00REQUEST_URI\x00"...)
	b = s.req.appendTarget(b)
	b = append(b, "\x00SCRIPT_NAME\x00"...)
	b = append(b, s.req.mount.base...)
	b = append(b, "\x00PATH_INFO\x00"...)
	b = append(b, r.Path[len(s.req.mount.base):]...)
	b = append(b, "\x00QUERY_STRING\x00"...)
	b = append(b, r.Query...)
	b = append(b, "\x00SERVER_NAME\x00"...)
	b = append(b, f.Name...)
	b = append(b, "\x00SERVER_PORT\x00"...)
	b = append(b, f.NamePort...)
	if r.Minor > 0 {
		b = append(b, "\x00SERVER_PROTOCOL\x00HTTP/1.1\x00"...)
	} else {
		b = append(b, "\x00SERVER_PROTOCOL\x00HTTP/1.0\x00"...)
	}
	b = append(b, "SERVER_SOFTWARE\x00passenger/"...)
	b = append(b, s.req.client.proxy.Release...)
	b = append(b, "\x00REMOTE_ADDR\x00"...)
	n := len(b)
	if b = s.req.appendAddr(b); len(b) == n {
		b = append(b, "127.0.0.1"...)
	}
	b = append(s.req.appendPort(append(b, "\x00REMOTE_PORT\x00"...)), 0)
	if user := s.req.client.headers.Value(&s.req.Request, fronted.RemoteUser); user != nil {
		b = http1.AppendPair(b, "REMOTE_USER", user)
	}
	if f.Https {
		b = append(b, "HTTPS\x00on\x00"...)
	}
	if v := r.Find(http1.ContentType); v != nil {
		b = http1.AppendPair(b, "CONTENT_TYPE", v)
	}
	if r.Host != nil {
		b = http1.AppendPair(b, "HTTP_HOST", r.Host)
	}
	without := &sessionFromClient
	if s.req.client.trusted {
		without = &sessionFromTrusted
	}
	if s.req.makesTrace() {
		others := *without
		others[http1.TraceParent] = true
		without = &others
	}
	b = r.AppendVariables(b, without)
	return http1.FinishBlock(s.appendSessionForwarded(b, &f))
}

func (s *session) appendSessionForwarded(b []byte, f *forwarded.Claims) []byte {
	b = append(b, "HTTP_X_FORWARDED_FOR\x00"...)
	n := len(b)
	if b = s.req.appendChain(b); len(b) > n {
		b = append(b, 0)
	} else {
		b = b[:n-len("HTTP_X_FORWARDED_FOR\x00")]
	}
	b = append(b, "HTTP_X_FORWARDED_PROTO\x00"...)
	b = append(b, f.Proto...)
	b = append(b, "\x00HTTP_X_FORWARDED_HOST\x00"...)
	b = append(b, f.Host...)
	b = append(b, "\x00HTTP_X_FORWARDED_PORT\x00"...)
	b = append(b, f.Port...)
	b = append(b, "\x00HTTP_X_REQUEST_ID\x00"...)
	b = append(b, s.req.id[:s.req.idLen]...)
	b = append(b, "\x00HTTP_X_REQUEST_START\x00"...)
	b = s.req.appendStart(b)
	b = append(b, 0)
	if s.req.makesTrace() {
		b = append(s.req.appendTrace(append(b, "HTTP_TRACEPARENT\x00"...)), 0)
	}
	if s := s.process.Sendfile.Load(); s != nil {
		b = append(b, s.Pairs...)
	}
	if s.req.upgrade {
		b = append(http1.AppendList(append(b, "HTTP_CONNECTION\x00Upgrade\x00HTTP_UPGRADE\x00"...), tunnel.Wanted(&s.req.Request)), 0)
	}
	return b
}
