package greeting

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"time"

	"passenger/lib/proxy/wire"
)

// IsPlain says that a connection for TLS begins like a request in plain text: b
// is as much of it as a record's header would be.
func IsPlain(b []byte) bool {
	method, target, whole := bytes.Cut(bytes.TrimPrefix(b, []byte("\r\n")), []byte{' '})
	for _, c := range method {
		if (c < 'A' || c > 'Z') && c != '-' {
			return false
		}
	}
	return len(method) > 0 && method[0] != '-' && (!whole || len(target) == 0 || bytes.IndexByte([]byte("/*hH"), target[0]) >= 0)
}

// RefusePlain answers such a request, of which TLS has read an unknown part, and
// gives the client time to take it.
func RefusePlain(nc net.Conn, date []byte) {
	const text = "400 Bad Request\n\nThis port speaks HTTPS, and the request came in plain text. Ask for https:// instead.\n"
	if err := nc.SetDeadline(time.Now().Add(wire.LastWords)); err != nil {
		return
	}
	_, err := fmt.Fprintf(nc, "HTTP/1.1 400 Bad Request\r\nDate: %s\r\nContent-Type: text/plain; charset=utf-8\r\n"+
		"Content-Length: %d\r\nConnection: close\r\n\r\n%s", date, len(text), text)
	if h, ok := nc.(interface{ CloseWrite() error }); ok && err == nil && h.CloseWrite() == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(nc, 1<<20)) // else what it still sends would reset the connection
	}
}
