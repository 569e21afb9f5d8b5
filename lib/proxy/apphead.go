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
	if s.req.mount.addsAll {
		b = s.req.appendVia(b)
	}
	if asked {
		b = append(b, "Expect: 100-continue\r\n"...)
	}
	b = s.req.appendForwarded(b, &f)
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

func (q *request) appendVia(b []byte) []byte {
	switch {
	case q.client.http2:
		return append(b, "Via: 2.0 passenger\r\n"...)
	case q.Minor > 0:
		return append(b, "Via: 1.1 passenger\r\n"...)
	}
	return append(b, "Via: 1.0 passenger\r\n"...)
}

// appendForwarded appends what the app cannot know by itself. Each header costs
// an app in Node.js about a microsecond: so those that tell the same as others,
// or that monitoring agents alone read, are for apps that want them, and for
// what a trusted client has said in them.
func (q *request) appendForwarded(b []byte, f *forwarded.Claims) []byte {
	b = append(b, "X-Forwarded-For: "...)
	n := len(b)
	if b = q.appendChain(b); len(b) > n {
		b = append(b, "\r\n"...)
	} else {
		b = b[:n-len("X-Forwarded-For: ")]
	}
	b = append(append(b, "X-Forwarded-Proto: "...), f.Proto...)
	if q.adds(http1.XForwardedHost) {
		b = append(append(b, "\r\nX-Forwarded-Host: "...), f.Host...)
	}
	if q.adds(http1.XForwardedPort) {
		b = append(append(b, "\r\nX-Forwarded-Port: "...), f.Port...)
	}
	b = append(append(b, "\r\nX-Request-Id: "...), q.id[:q.idLen]...)
	if q.adds(http1.XRequestStart) {
		b = q.appendStart(append(b, "\r\nX-Request-Start: "...))
	}
	return append(b, "\r\n"...)
}

// adds says whether the request gets a header that few apps read.
func (q *request) adds(kind http1.Name) bool {
	return q.mount.addsAll || q.client.trusted && q.Find(kind) != nil
}

// appendSession returns the request's block for a process that speaks the
// session protocol: in b's memory, with values in between if names stand apart
// from values there.
func (s *session) appendSession(b, values []byte) []byte {
	if s.process.Apart {
		k := http1.ApartBlock(b, values)
		s.addVariables(&k)
		return k.Finish()
	}
	k := http1.PairsBlock(b)
	s.addVariables(&k)
	return k.Finish()
}

// addVariables adds what most requests have first, in the same order for all.
func (s *session) addVariables(k *http1.Block) {
	r, f := &s.req.Request, s.req.forwarded()
	k.Name("CONTENT_LENGTH")
	if !r.Chunked {
		k.Value = strconv.AppendInt(k.Value, max(r.ContentLength, 0), 10)
	}
	k.End()
	if !s.process.Apart {
		k.Pair("SCGI", "1")
	}
	add(k, "REQUEST_METHOD", r.Method)
	k.Name("REQUEST_URI")
	k.Value = s.req.appendTarget(k.Value)
	k.End()
	k.Pair("SCRIPT_NAME", s.req.mount.base)
	add(k, "PATH_INFO", r.Path[len(s.req.mount.base):])
	add(k, "QUERY_STRING", r.Query)
	add(k, "SERVER_NAME", f.Name)
	add(k, "SERVER_PORT", f.NamePort)
	if r.Minor > 0 {
		k.Pair("SERVER_PROTOCOL", "HTTP/1.1")
	} else {
		k.Pair("SERVER_PROTOCOL", "HTTP/1.0")
	}
	k.Name("SERVER_SOFTWARE")
	k.Value = append(append(k.Value, "passenger/"...), s.req.client.proxy.Release...)
	k.End()
	s.addAddress(k)
	s.addForwarded(k, &f)
	if r.Chunked {
		k.Pair("TRANSFER_ENCODING", "chunked")
	}
	if f.Https {
		k.Pair("HTTPS", "on")
	}
	if v := r.Find(http1.ContentType); v != nil {
		add(k, "CONTENT_TYPE", v)
	}
	if user := s.req.client.headers.Value(&s.req.Request, fronted.RemoteUser); user != nil {
		add(k, "REMOTE_USER", user)
	}
	if r.Host != nil {
		add(k, "HTTP_HOST", r.Host)
	}
	s.addFields(k)
	if s := s.process.Sendfile.Load(); s != nil {
		for _, pair := range s.Pairs {
			k.Pair(pair[0], pair[1])
		}
	}
	if s.req.upgrade {
		k.Pair("HTTP_CONNECTION", "Upgrade")
		k.Name("HTTP_UPGRADE")
		k.Value = http1.AppendList(k.Value, tunnel.Wanted(&s.req.Request))
		k.End()
	}
}

func add(k *http1.Block, name string, value []byte) {
	k.Name(name)
	k.Value = append(append(k.Value, value...), 0)
}

func (s *session) addAddress(k *http1.Block) {
	k.Name("REMOTE_ADDR")
	n := len(k.Value)
	if k.Value = s.req.appendAddr(k.Value); len(k.Value) == n {
		k.Value = append(k.Value, "127.0.0.1"...)
	}
	k.End()
	k.Name("REMOTE_PORT")
	k.Value = s.req.appendPort(k.Value)
	k.End()
}

// addFields adds what the client sent.
func (s *session) addFields(k *http1.Block) {
	without := &sessionFromClient
	if s.req.client.trusted {
		without = &sessionFromTrusted
	}
	if !s.req.makesTrace() {
		s.req.AddVariables(k, without)
		return
	}
	others := *without
	others[http1.TraceParent] = true
	s.req.AddVariables(k, &others)
	k.Name("HTTP_TRACEPARENT")
	k.Value = s.req.appendTrace(k.Value)
	k.End()
}

func (s *session) addForwarded(k *http1.Block, f *forwarded.Claims) {
	before := *k
	k.Name("HTTP_X_FORWARDED_FOR")
	n := len(k.Value)
	if k.Value = s.req.appendChain(k.Value); len(k.Value) > n {
		k.End()
	} else {
		*k = before
	}
	add(k, "HTTP_X_FORWARDED_PROTO", f.Proto)
	add(k, "HTTP_X_FORWARDED_HOST", f.Host)
	add(k, "HTTP_X_FORWARDED_PORT", f.Port)
	add(k, "HTTP_X_REQUEST_ID", s.req.id[:s.req.idLen])
	k.Name("HTTP_X_REQUEST_START")
	k.Value = s.req.appendStart(k.Value)
	k.End()
}
