package proxy

import (
	"fmt"

	"passenger/lib/proxy/apphead"
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
	b = append(apphead.AppendTarget(b, &x.req.Request), "\r\nContent-Length: 0\r\n"...)
	return x.reply(308, b, nil)
}
