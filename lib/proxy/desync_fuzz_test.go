package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// exchangeAll sends text, and reads until the proxy closes the connection.
func exchangeAll(t *testing.T, s *server, text string) []byte {
	t.Helper()
	p := s.dial()
	_, _ = io.WriteString(p.Conn, text) // refused before its end is right
	_ = p.Conn.(*net.TCPConn).CloseWrite()
	b, err := io.ReadAll(p.in)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the connection stays open after %q", b)
	}
	return b
}

// finals reads responses to GET or to the method until the end, and returns
// the bodies of the final ones. whole says that the end is that of a response.
func finals(t *testing.T, b []byte, method string) (bodies []string, whole bool) {
	t.Helper()
	in := bufio.NewReader(bytes.NewReader(b))
	for {
		if _, err := in.Peek(1); err != nil {
			return bodies, true
		}
		r, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("%v: after %d responses: %q", err, len(bodies), b)
		}
		if r.StatusCode == http.StatusSwitchingProtocols {
			return bodies, false
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return bodies, false
		}
		if r.StatusCode >= 200 {
			bodies = append(bodies, string(body))
		}
	}
}

// Whatever an app answers, the client reads one answer to each request, as
// net/http reads it: that to the second is its own, or there is none.
func FuzzAnswers(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: Content-Length\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: Transfer-Encoding\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\n\r\nleft over",
		"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nuntil the end",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
	} {
		f.Add(s)
	}
	const own = "the second's own"
	f.Fuzz(func(t *testing.T, text string) {
		app := start(t, "http", 0, func(c *call) bool {
			if c.Target == "/own" {
				c.ok(own)
				return true
			}
			c.reply("%s", text)
			conn := c.Conn
			time.AfterFunc(2*time.Millisecond, func() { conn.Close() }) // an answer may want more
			return true
		})
		s := serve(t, Config{}, route(app))
		got := exchangeAll(t, s, "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /own HTTP/1.1\r\nHost: a\r\n\r\n")
		bodies, whole := finals(t, got, "GET")
		second := len(bodies) == 2
		if len(bodies) > 2 || second && !(whole && bodies[1] == own) || !second && strings.Contains(string(got), own) {
			t.Errorf("got %q, whole %v, from %q", bodies, whole, got)
		}
	})
}

// Whatever a client sends, the app reads as many requests as are answered with
// success, each as net/http reads it, which the fake sees to.
func FuzzRequests(f *testing.F) {
	const get = "GET / HTTP/1.1\r\nHost: a\r\n"
	for _, s := range []string{
		get + "\r\n", get + "\r\n" + get + "\r\n", get + "Connection: Content-Length\r\nContent-Length: 5\r\n\r\nhello",
		get + "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n" + get + "\r\n",
		get + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", get + "Content-Length: 05\r\n\r\nhello",
		get + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nok", "GET http://a/b?c HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
		get + "X: a\rb\r\n\r\n", get + " folded\r\n\r\n", get + "X_Y: z\r\nX-Y: z\r\n\r\n", "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", "POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nok",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "HEAD") {
			return // its answer is framed by what was asked
		}
		app := start(t, "http", 0, func(c *call) bool {
			if _, err := io.Copy(io.Discard, c.Body); err != nil {
				return false // the client went before its end
			}
			c.ok("ok")
			return true
		})
		bodies, _ := finals(t, exchangeAll(t, serve(t, Config{}, route(app)), text), "GET")
		good := 0
		for _, b := range bodies {
			if b == "ok" {
				good++
			}
		}
		if n := int(app.requests.Load()); good > n || n > good+1 { // the last may have been cut off
			t.Errorf("%d requests reached the app, %d were answered", n, good)
		}
	})
}
