package proxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
)

// A stream of HTTP/2 becomes an exchange like any other: it is written as an
// HTTP/1.1 request to a client of its own, whose connection is a pipe in
// memory, and what that answers is the stream's response. So there is one way
// to parse, route, queue and refuse.

const (
	// maxStreams is how many requests a connection may have in flight. It
	// bounds, with the server's own limit on resets, what one client can ask.
	maxStreams = 128

	maxHeaderBytes = 64 << 10 // as http1.MaxHead

	maxFrame = 16 << 10 // the least that is allowed: larger ones gain nothing
)

// An http2Server serves the connections that speak HTTP/2.
//
// Of h2spec's 146 strict cases three are out of reach, because the library
// decides them before a request is ours: a SETTINGS frame with one setting
// twice ends the connection (6.5.3/1), and a Connection field, or a TE of
// another value than "trailers", is answered 400 where a stream error is asked
// for (8.1.2.2/1 and 2). No app sees any of them.
type http2Server struct {
	server *http.Server // reads its connections from accepted
	serve  sync.Once

	accepted chan net.Conn
	closed   chan struct{} // closed by shutdown

	mu    sync.Mutex // guards conns
	conns map[*http2Conn]bool
}

// An http2Conn is a connection that speaks HTTP/2, as the handler finds it.
type http2Conn struct {
	net.Conn
	from   *net.TCPAddr
	secure bool
	ended  chan struct{} // closed when it is
	end    sync.Once
}

func (c *http2Conn) Close() error {
	defer c.end.Do(func() { close(c.ended) })
	return c.Conn.Close()
}

type http2Key struct{}

func newHTTP2Server(p *Proxy) *http2Server {
	s := &http2Server{accepted: make(chan net.Conn), closed: make(chan struct{}), conns: map[*http2Conn]bool{}}
	// Whoever hands us a connection has seen that it speaks HTTP/2, by ALPN or
	// by its preface: to the server it is one with prior knowledge.
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	s.server = &http.Server{
		Protocols:      protocols,
		HTTP2:          &http.HTTP2Config{MaxConcurrentStreams: maxStreams, MaxReadFrameSize: maxFrame, SendPingTimeout: p.Timeouts.Idle, WriteByteTimeout: p.Timeouts.Write},
		MaxHeaderBytes: maxHeaderBytes, ReadHeaderTimeout: p.Timeouts.Header, IdleTimeout: p.Timeouts.Idle,
		ErrorLog:    slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, http2Key{}, c) },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c := r.Context().Value(http2Key{}).(*http2Conn)
			p.serveStream(w, r, c.from, c.secure)
		}),
	}
	return s
}

// serveHTTP2 serves nc until it ends.
func (p *Proxy) serveHTTP2(nc net.Conn, secure bool) {
	s := p.http2
	s.serve.Do(func() { go s.server.Serve(s) }) // until shutdown
	c := &http2Conn{Conn: nc, from: origin(nc), secure: secure, ended: make(chan struct{})}
	s.mu.Lock()
	s.conns[c] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
		c.Close()
	}()
	select {
	case s.accepted <- c:
		<-c.ended
	case <-s.closed:
	}
}

// Accept, Close and Addr make s the listener of its server.
func (s *http2Server) Accept() (net.Conn, error) {
	select {
	case c := <-s.accepted:
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *http2Server) Close() error   { return nil }
func (s *http2Server) Addr() net.Addr { return &net.UnixAddr{Name: "http2"} }

// shutdown asks the clients to open no more streams.
func (s *http2Server) shutdown() {
	close(s.closed)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.server.Shutdown(ctx) // we wait for the connections ourselves
}

// cutOff closes the connections.
func (s *http2Server) cutOff() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for nc := range s.conns {
		nc.Close()
	}
}

// A pipeEnd is the end of a pipe that an exchange holds.
type pipeEnd struct {
	net.Conn
	gone, broken atomic.Bool
}

// Gone says that the client left.
func (e *pipeEnd) Gone() bool { return e.gone.Load() }

// Break ends the answer so that the client sees it is not whole.
func (e *pipeEnd) Break() {
	e.broken.Store(true)
	e.Conn.Close()
}

func (p *Proxy) serveStream(w http.ResponseWriter, r *http.Request, from *net.TCPAddr, secure bool) {
	ours, theirs := net.Pipe()
	end := &pipeEnd{Conn: theirs}
	c := newStream(p, end, from)
	c.secure, c.http2 = secure, true
	var wg sync.WaitGroup
	wg.Go(func() { c.serve() }) // a stream is never parked
	wg.Go(func() {
		if err := writeRequest(ours, r); err != nil {
			// The answer says what became of it, or the client is gone.
			slog.Debug("request not passed on whole", "err", err)
		}
	})
	stop := context.AfterFunc(r.Context(), func() {
		end.gone.Store(true)
		ours.Close()
	})
	err := passResponse(w, r, ours)
	stop()
	ours.Close()
	// Reading the body goes on as long as the handler does.
	_ = r.Body.Close()
	wg.Wait()
	if err != nil || end.broken.Load() {
		panic(http.ErrAbortHandler)
	}
}

// writeRequest writes r as HTTP/1.1. What it must not contain is refused by
// whoever reads it.
func writeRequest(to io.Writer, r *http.Request) error {
	b := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", r.Method, r.RequestURI, r.Host)
	chunked := r.ContentLength < 0
	switch {
	case chunked:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	case r.ContentLength > 0 || r.Method == "POST" || r.Method == "PUT" || r.Method == "PATCH":
		b = fmt.Appendf(b, "Content-Length: %d\r\n", r.ContentLength)
	}
	for name, values := range r.Header {
		if name == "Content-Length" || name == "Te" || name == "Expect" || name == "Host" || name == "Trailer" {
			continue
		}
		for _, v := range values {
			b = append(append(append(append(b, name...), ": "...), v...), "\r\n"...)
		}
	}
	if _, err := to.Write(append(b, crlf...)); err != nil {
		return err
	}
	if !chunked {
		_, err := io.Copy(to, r.Body)
		return err
	}
	return writeChunked(to, r)
}

func writeChunked(to io.Writer, r *http.Request) error {
	buf := takeBuffer(medium)
	defer buf.free()
	const room = 16 // for the size and both line ends
	for {
		n, err := r.Body.Read(buf.b[room : len(buf.b)-room])
		if n > 0 {
			size := fmt.Appendf(nil, "%x\r\n", n)
			start := room - len(size)
			copy(buf.b[start:], size)
			copy(buf.b[room+n:], crlf)
			if _, err := to.Write(buf.b[start : room+n+len(crlf)]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			var b bytes.Buffer
			b.WriteString("0\r\n")
			if err := r.Trailer.Write(&b); err != nil {
				return err
			}
			b.WriteString("\r\n")
			_, err := to.Write(b.Bytes())
			return err
		case err != nil:
			return err
		}
	}
}

// passResponse reads the response to r and writes it to w. An error says that
// it is not whole.
func passResponse(w http.ResponseWriter, r *http.Request, from io.Reader) error {
	in := bufio.NewReaderSize(from, medium)
	for {
		resp, err := http.ReadResponse(in, r)
		if err != nil {
			return err
		}
		h := w.Header()
		clear(h)
		for name, values := range resp.Header {
			if name != "Connection" {
				h[name] = values
			}
		}
		if resp.StatusCode < 200 {
			if resp.StatusCode != 100 { // that the server says itself
				w.WriteHeader(resp.StatusCode)
			}
			continue
		}
		w.WriteHeader(resp.StatusCode)
		if err := passBody(w, resp.Body, in); err != nil {
			return err
		}
		for name, values := range resp.Trailer {
			h[http.TrailerPrefix+name] = values
		}
		return nil
	}
}

// passBody passes the body on as it comes, in holding what was read of it.
func passBody(w http.ResponseWriter, body io.Reader, in *bufio.Reader) error {
	flusher, _ := w.(http.Flusher)
	buf := takeBuffer(medium)
	defer buf.free()
	for {
		n, err := body.Read(buf.b)
		if n > 0 {
			if _, err := w.Write(buf.b[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case in.Buffered() == 0 && flusher != nil:
			flusher.Flush()
		}
	}
}

// A replayed connection begins with bytes that were read from it already.
type replayed struct {
	net.Conn
	head []byte
}

func (c *replayed) Read(p []byte) (int, error) {
	if len(c.head) > 0 {
		n := copy(p, c.head)
		c.head = c.head[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// isPreface says that b begins like a connection that speaks HTTP/2 without
// having negotiated it.
func isPreface(b []byte) bool {
	return strings.HasPrefix(string(b), "PRI * HTTP/2.0\r\n")
}
