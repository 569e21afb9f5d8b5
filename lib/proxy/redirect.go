package proxy

import (
	"fmt"
	"net/http"

	"passenger/lib/http1"
	"passenger/lib/proxy/apphead"
	"passenger/lib/proxy/forwarded"
)

// insecure says that a request came in plain text although it should not: no
// trusted proxy says that it reached it over TLS. What comes over a unix
// socket from such a proxy without a word on it is left alone.
func (q *request) insecure() bool {
	return q.client.proxy.RedirectHTTPS && !q.client.secure && q.client.addr != "" && !q.forwarded().Https
}

// redirectHTTPS answers with the same address over TLS. 308 keeps the method.
func (x *exchange) redirectHTTPS() bool {
	x.body.leaveBody()
	if x.req.Host == nil {
		return x.fail(400, "The request names no host, so that it cannot be sent to one over HTTPS.")
	}
	f := x.req.forwarded()
	b := fmt.Appendf(nil, "HTTP/1.1 308 Permanent Redirect\r\nDate: %s\r\nLocation: https://%s", x.req.date(), f.Name)
	if port := x.client.proxy.HTTPSPort; port != "" && port != "443" {
		b = fmt.Appendf(b, ":%s", port)
	}
	b = append(apphead.AppendPlace(b, &x.req.Request), "\r\nContent-Length: 0\r\n"...)
	return x.reply(308, b, nil)
}

// redirectHost answers with the same address at the app's canonical host, if the request
// names another. done says that it did. 301 may make a GET of other methods, 308 does not.
// Clients may keep it for an hour, as the canonical host may change.
func (x *exchange) redirectHost() (done, again bool) {
	if x.req.Host == nil {
		return false, false
	}
	f := x.req.forwarded()
	host, _ := http1.NextToken(f.Host)
	scheme, port := forwarded.SchemeHTTP, forwarded.Port80
	if f.Https {
		scheme, port = forwarded.SchemeHTTPS, forwarded.Port443
	}
	to := x.req.mount.canonical.Instead(host, x.req.Path, string(port))
	if to == nil {
		return false, false
	}
	x.body.leaveBody()
	status := 308
	if x.req.reads() {
		status = 301
	}
	b := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nDate: %s\r\nCache-Control: max-age=3600\r\nLocation: %s://%s", status, http.StatusText(status), x.req.date(), scheme, to)
	b = append(apphead.AppendPlace(b, &x.req.Request), "\r\nContent-Length: 0\r\n"...)
	return true, x.reply(status, b, nil)
}
