package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"passenger/lib/http1"
	"passenger/lib/http1/message"
	"passenger/lib/protocol"
	"passenger/lib/unixsock"
)

// A Request is one call, as its handler sees it.
type Request struct {
	Method string
	URL    *url.URL // path and query

	// Body is never nil. It ends with an error behind protocol.MaxBody bytes.
	Body io.Reader

	// ContentLength of the body; -1 if only its end tells, 0 for none.
	ContentLength int64

	ctx   context.Context
	head  *http1.Request
	names map[string]string // what the call's path has for {name}
	peer  *unixsock.Peer    // nil if the kernel did not tell
}

// Context ends when the caller is gone. It is known to be so only once the body
// was read to its end.
func (r *Request) Context() context.Context { return r.ctx }

// field is the value of a header field whose name is in lower case.
func (r *Request) field(name string) string { return string(r.head.FindName(name)) }

// Caller is the process that made a call. ok is false if the kernel did not tell.
func Caller(r *Request) (peer unixsock.Peer, ok bool) {
	if r.peer == nil {
		return peer, false
	}
	return *r.peer, true
}

// ID returns a part of the path that names a process, app or proxy, or an error
// if it is none that could exist.
func ID(r *Request, name string) (string, error) {
	v := r.names[name]
	ok := v != "" && len(v) <= 64 && v[0] != '.' && strings.Trim(v, "abcdefghijklmnopqrstuvwxyz0123456789._-") == ""
	if !ok {
		return "", &protocol.Error{
			Code: protocol.CodeBadRequest, Message: fmt.Sprintf("%q is not a valid %s", v, name),
			Hint: "one has characters of a-z, 0-9, '.', '_' and '-' only, no dot first, and at most 64 of them",
		}
	}
	return v, nil
}

var errTooLarge = errors.New("body over the limit")

// A tooLarge body says by its length that it is over the limit: none of it is read.
type tooLarge struct{}

func (tooLarge) Read([]byte) (int, error) { return 0, errTooLarge }

// A body is what a caller sends. It has bodyTimeout for it. The deadline is lifted
// at the end: from then on the connection is read to see whether the caller is
// still there.
type body struct {
	*message.Body
	conn    net.Conn
	left    int64  // until it is too large
	waits   bool   // the caller waits for 100 (Continue)
	whenAll func() // called once, at the body's end
}

func (b *body) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, errTooLarge
	}
	if b.waits {
		b.waits = false
		if _, err := io.WriteString(b.conn, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return 0, err
		}
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.Body.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n + int(b.left), errTooLarge
	}
	if err == io.EOF && b.whenAll != nil {
		_ = b.conn.SetReadDeadline(time.Time{}) // unix sockets have deadlines
		b.whenAll()
		b.whenAll = nil
	}
	return n, err
}
