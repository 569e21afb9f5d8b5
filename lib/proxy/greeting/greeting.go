// Package greeting recognises how a connection begins: with a PROXY header, HTTP/2
// without TLS, plain text where TLS is spoken, or another protocol altogether.
package greeting

import (
	"bytes"
	"errors"
	"net"
	"strings"
	"time"

	"passenger/lib/http1"

	"github.com/pires/go-proxyproto"
)

// Replay returns nc as it was before head was read from it.
func Replay(nc net.Conn, head []byte) net.Conn { return &replayed{nc, head} }

// A replayed connection begins with bytes that were read from it already.
type replayed struct {
	net.Conn
	head []byte
}

// NetConn is the connection below.
func (c *replayed) NetConn() net.Conn { return c.Conn }

// CloseWrite ends the sending side.
func (c *replayed) CloseWrite() error {
	if h, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return nil
}

func (c *replayed) Read(p []byte) (int, error) {
	if len(c.head) > 0 {
		n := copy(p, c.head)
		c.head = c.head[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// IsPreface says that b begins like a connection that speaks HTTP/2 without
// having negotiated it.
func IsPreface(b []byte) bool {
	return strings.HasPrefix(string(b), "PRI * HTTP/2.0\r\n")
}

// IsForeign says that b, the first that a connection brings, is of neither
// protocol: RFC 9113, 3.4 has such a one closed without a word. What begins as a
// request does, with a method and something like a target, is one of HTTP/1.1,
// which has an answer for it if it makes no sense.
func IsForeign(b []byte) bool {
	line, _, whole := bytes.Cut(b, []byte("\r\n"))
	if !whole || len(line) == 0 || bytes.Contains(line, []byte("HTTP/")) {
		return false
	}
	method, rest, _ := bytes.Cut(line, []byte{' '})
	target, _, _ := bytes.Cut(rest, []byte{' '})
	like := bytes.HasPrefix(target, []byte("/")) || string(target) == "*" || bytes.Contains(target, []byte("://"))
	return !like || !http1.ValidName(method)
}

var errNoProxyHeader = errors.New("it does not begin with a PROXY header")

// ReadProxyHeader returns the connection behind the PROXY header that nc begins
// with, from the client that the header names.
func ReadProxyHeader(nc net.Conn, limit time.Duration) (net.Conn, error) {
	c := proxyproto.NewConn(nc, proxyproto.WithPolicy(proxyproto.REQUIRE), proxyproto.SetReadHeaderTimeout(limit))
	if c.ProxyHeader() == nil {
		return nil, errNoProxyHeader
	}
	return &Introduced{c}, nil
}

// An Introduced connection began with a PROXY header.
type Introduced struct{ *proxyproto.Conn }

// CloseWrite ends the sending side.
func (c *Introduced) CloseWrite() error {
	if h, ok := c.Raw().(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return nil
}

// RemoteAddr is the client's address. A LOCAL header names no other client, so
// that it is the connection's own. It is empty, and never trusted, for a client
// without an IP address.
func (c *Introduced) RemoteAddr() net.Addr {
	h := c.ProxyHeader()
	if h.Command.IsLocal() {
		return c.Raw().RemoteAddr()
	}
	if a, ok := h.SourceAddr.(*net.TCPAddr); ok {
		return a
	}
	return &net.TCPAddr{}
}
