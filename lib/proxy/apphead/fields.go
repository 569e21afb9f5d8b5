package apphead

import "passenger/lib/http1"

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
