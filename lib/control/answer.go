package control

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"passenger/lib/http1"
	"passenger/lib/protocol"
)

const (
	kindJSON  = "application/json"
	kindLines = "application/x-ndjson"
	kindText  = "text/plain; version=0.0.4; charset=utf-8" // that of Prometheus
)

// An answer is written to one request: as a whole, or as a stream of parts.
type answer struct {
	conn  net.Conn
	ours  string // the fields that every answer has
	minor uint8  // of the request's version
	head  bool   // the request was HEAD: it has no body

	// last says that no request follows on the connection.
	last bool

	// unread says that the request's body was not read: what follows is its rest.
	unread func() bool

	begun, chunked bool
}

// whole writes an answer whose body is there.
func (a *answer) whole(status int, kind string, body []byte) {
	if a.begun {
		a.last = true // a bug in the midst of a stream: its missing end says so
		return
	}
	b := a.headOf(status, kind)
	b = fmt.Appendf(b, "Content-Length: %d\r\n\r\n", len(body))
	if !a.head {
		b = append(b, body...)
	}
	_ = a.conn.SetWriteDeadline(time.Now().Add(replyTimeout)) // unix sockets have deadlines
	if _, err := a.conn.Write(b); err != nil {
		a.last = true // the caller is gone
	}
}

// begin writes the head of a stream.
func (a *answer) begin(kind string) error {
	a.chunked = a.minor > 0 && !a.head
	a.last = a.last || a.minor == 0 // the connection's end is that of the stream
	b := a.headOf(200, kind)
	if a.chunked {
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	return a.write(append(b, "\r\n"...))
}

// part writes a part of a stream that is not empty. The first one writes its head.
func (a *answer) part(p []byte) error {
	if !a.begun {
		if err := a.begin(kindLines); err != nil {
			return err
		}
	}
	switch {
	case a.head:
		return io.EOF // there is no more
	case !a.chunked:
		return a.write(p)
	}
	b := append(strconv.AppendInt(nil, int64(len(p)), 16), "\r\n"...)
	return a.write(append(append(b, p...), "\r\n"...))
}

// end ends a stream.
func (a *answer) end() {
	if a.chunked && a.write([]byte("0\r\n\r\n")) != nil {
		a.last = true
	}
}

// write gives a reader that does not read as long as a watch may be silent.
func (a *answer) write(b []byte) error {
	_ = a.conn.SetWriteDeadline(time.Now().Add(3 * protocol.WatchKeepAlive)) // unix sockets have deadlines
	_, err := a.conn.Write(b)
	if err != nil {
		a.last = true
	}
	return err
}

func (a *answer) headOf(status int, kind string) []byte {
	a.begun = true
	a.last = a.last || a.unread()
	b := fmt.Appendf(nil, "HTTP/1.%d %d %s\r\nDate: ", a.minor, status, http1.Phrase(status))
	b = time.Now().UTC().AppendFormat(b, "Mon, 02 Jan 2006 15:04:05 GMT")
	b = append(append(append(b, "\r\nContent-Type: "...), kind...), "\r\n"...)
	b = append(b, a.ours...)
	switch {
	case a.last:
		b = append(b, "Connection: close\r\n"...)
	case a.minor == 0:
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	return b
}
