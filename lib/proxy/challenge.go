package proxy

import (
	"bytes"
	"fmt"
)

// challengePath is below which an authority asks for the proof that a name is
// ours (RFC 8555, 8.3).
var challengePath = []byte("/.well-known/acme-challenge/")

// challenge answers an authority that asks in plain text for a token of ours,
// whatever the host, and before anything else could redirect or route it. done
// is false for all other requests: an app may have challenges of its own.
func (x *exchange) challenge() (done, again bool) {
	c := x.client.proxy.Certificates
	if c == nil || x.client.secure || !bytes.HasPrefix(x.req.Path, challengePath) {
		return false, false
	}
	if m := string(x.req.Method); m != "GET" && m != "HEAD" {
		return false, false
	}
	text, ok := c.Answer(string(x.req.Path[len(challengePath):]))
	if !ok {
		return false, false
	}
	return true, x.prove(text)
}

func (x *exchange) prove(text string) (again bool) {
	x.body.leaveBody()
	b := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nDate: %s\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n", x.req.date(), len(text))
	return x.reply(200, b, []byte(text))
}
