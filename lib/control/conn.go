package control

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"passenger/lib/bug"
	"passenger/lib/http1"
	"passenger/lib/http1/message"
	"passenger/lib/protocol"
	"passenger/lib/unixsock"
)

const (
	headerTimeout = 10 * time.Second // for a caller to send its header
	bodyTimeout   = 30 * time.Second // and its body
	replyTimeout  = 30 * time.Second // and to take a reply
	idleTimeout   = time.Minute      // between two calls
)

// A conn is one connection of a caller.
type conn struct {
	net.Conn
	server *Server
	peer   *unixsock.Peer
	reader *message.Reader
	head   http1.Request
	idle   atomic.Bool // no call is under way
}

func newConn(s *Server, c net.Conn) *conn {
	n := &conn{Conn: c, server: s, reader: message.NewReader(c)}
	n.idle.Store(true)
	if uc, ok := c.(*net.UnixConn); ok {
		if peer, err := unixsock.PeerOf(uc); err == nil {
			n.peer = &peer
		}
	}
	return n
}

// serve answers one request after another, until the caller or the server ends
// that.
func (c *conn) serve() {
	defer bug.Caught(nil)
	defer c.Close()
	for patience := headerTimeout; ; patience = idleTimeout {
		_ = c.SetReadDeadline(time.Now().Add(patience)) // unix sockets have deadlines
		if c.reader.Wait() != nil {
			return
		}
		c.idle.Store(false)
		_ = c.SetReadDeadline(time.Now().Add(headerTimeout))
		err := c.reader.Request(&c.head)
		_ = c.SetReadDeadline(time.Time{})
		if err != nil {
			c.refuse(err)
			return
		}
		if !c.exchange() {
			return
		}
		c.idle.Store(true)
		if c.server.stop.Err() != nil {
			return
		}
	}
}

// refuse answers a head that is none.
func (c *conn) refuse(err error) {
	var malformed *http1.Error
	if !errors.As(err, &malformed) {
		return // the caller is gone, or too slow
	}
	a := c.answer(func() bool { return true })
	a.minor = 1
	replyError(a, badRequest("the request is no HTTP/1.1 that is understood here: %v", malformed))
	c.linger()
}

func (c *conn) answer(unread func() bool) *answer {
	s := c.server
	return &answer{
		conn: c, unread: unread, minor: c.head.Minor, head: string(c.head.Method) == "HEAD", last: !c.head.KeepAlive || s.stop.Err() != nil,
		ours: protocol.HeaderProtocol + ": " + strconv.Itoa(protocol.Version) + "\r\n" +
			protocol.HeaderProgram + ": " + ProgramHeader(s.Program, s.Release) + "\r\n",
	}
}

// exchange answers the request whose head was read. It returns false if no other
// may follow.
func (c *conn) exchange() bool {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	content := c.reader.RequestBody(&c.head)
	watch := &callerWatch{conn: c, gone: cancel}
	a := c.answer(func() bool { return !content.Ended() })
	r := &Request{
		Method: string(c.head.Method), URL: &url.URL{RawQuery: string(c.head.Query)}, ContentLength: max(c.head.ContentLength, 0),
		Body: &body{Body: content, conn: c, left: protocol.MaxBody, waits: c.head.Continue, whenAll: watch.begin},
		ctx:  ctx, head: &c.head, peer: c.peer,
	}
	if c.head.Chunked {
		r.ContentLength = -1
	}
	if r.ContentLength > protocol.MaxBody {
		r.Body = tooLarge{}
	}
	if content.Ended() {
		watch.begin()
	} else {
		_ = c.SetReadDeadline(time.Now().Add(bodyTimeout))
	}
	path, err := url.PathUnescape(string(c.head.Path))
	if err != nil {
		replyError(a, badRequest("the path %q is malformed", c.head.Path))
	} else {
		r.URL.Path, r.URL.RawPath = path, string(c.head.Path)
		c.server.take(a, r)
	}
	watch.end()
	if !content.Ended() {
		// What comes next on the connection is the rest of this body.
		c.linger()
		return false
	}
	return !a.last
}

// linger takes what a caller still sends, so that it gets to read its answer: a
// connection that is closed with unread bytes is reset, and the answer with it.
func (c *conn) linger() {
	uc, ok := c.Conn.(*net.UnixConn)
	if !ok || uc.CloseWrite() != nil {
		return
	}
	_ = c.SetReadDeadline(time.Now().Add(bodyTimeout))
	_, _ = io.Copy(io.Discard, c.Conn) // its end is all that counts
}

// A callerWatch reads on while a call is under way, to see whether the caller is
// still there. What it reads is kept for the next request.
type callerWatch struct {
	conn *conn
	gone func()
	done chan struct{} // nil before begin
}

func (w *callerWatch) begin() {
	w.done = make(chan struct{})
	go func() {
		defer close(w.done)
		err := w.conn.reader.Wait()
		var timeout net.Error
		if err != nil && !(errors.As(err, &timeout) && timeout.Timeout()) {
			w.gone()
		}
	}()
}

// end returns when nothing is read any more.
func (w *callerWatch) end() {
	if w.done == nil {
		return
	}
	_ = w.conn.SetReadDeadline(time.Unix(1, 0)) // long past: it ends a read
	<-w.done
	_ = w.conn.SetReadDeadline(time.Time{})
}
