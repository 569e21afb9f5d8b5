package proxy

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"runtime"
	"strings"
	"testing"

	"passenger/lib/protocol"
)

// pattern is bytes that do not repeat within a buffer's length.
func pattern(n int) []byte {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

func digest(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }

const twentyMB = 20 << 20

// sendUpload sends a body of the size with a length or in chunks.
func sendUpload(p *peer, body []byte, chunked bool) {
	if !chunked {
		p.send(fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", len(body)))
		p.Write(body)
		return
	}
	p.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
	w := httputil.NewChunkedWriter(p.Conn)
	for len(body) > 0 {
		n := min(len(body), 100_003)
		w.Write(body[:n])
		body = body[n:]
	}
	w.Close()
	io.WriteString(p.Conn, "\r\n")
}

func TestLargeBodiesPassUnchanged(t *testing.T) {
	t.Parallel()
	body := pattern(twentyMB)
	both(t, func(t *testing.T, proto string) {
		s := serve(t, Config{}, route(start(t, proto, 1, func(c *call) bool {
			h := sha256.New()
			n, err := io.Copy(h, c.Body)
			c.ok(fmt.Sprintf("%d %x %v", n, h.Sum(nil), err))
			return true
		})))
		p := s.dial()
		for _, chunked := range []bool{false, true} {
			sendUpload(p, body, chunked)
			if r, want := p.receive("POST"), fmt.Sprintf("%d %s <nil>", len(body), digest(body)); r.Body != want {
				t.Errorf("chunked=%v: got %q, want %q", chunked, r.Body, want)
			}
		}
		if got := p.get("/after").Status; got != 200 {
			t.Errorf("got %d behind the uploads", got)
		}
	})
}

func TestLargeResponsesPassUnchanged(t *testing.T) {
	t.Parallel()
	body := pattern(twentyMB)
	both(t, func(t *testing.T, proto string) {
		s := serve(t, Config{}, route(start(t, proto, 1, func(c *call) bool {
			switch c.Target {
			case "/sized":
				c.reply("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(body))
				c.Conn.Write(body)
			case "/chunked":
				c.reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
				w := httputil.NewChunkedWriter(c.Conn)
				for b := bytes.NewBuffer(body); b.Len() > 0; {
					w.Write(b.Next(65_537))
				}
				w.Close()
				c.reply("\r\n")
			case "/close":
				c.reply("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
				c.Conn.Write(body)
				return false
			}
			return true
		})))
		p := s.dial()
		for _, path := range []string{"/sized", "/chunked", "/sized", "/close"} {
			r := p.get(path)
			if r.Err != nil || digest([]byte(r.Body)) != digest(body) {
				t.Errorf("%s: got %d bytes, %v", path, len(r.Body), r.Err)
			}
			if r.Close != (path == "/close") {
				t.Errorf("%s: got close=%v", path, r.Close)
			}
		}
		p.closed()
	})
}

// Both directions flow at once: an echo that starts before the upload ends.
func TestBodiesStreamBothWaysAtOnce(t *testing.T) {
	t.Parallel()
	body := pattern(twentyMB)
	both(t, func(t *testing.T, proto string) {
		f := start(t, proto, 1, func(c *call) bool {
			c.reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			w := httputil.NewChunkedWriter(c.Conn)
			io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{c.Body}, make([]byte, 4096))
			w.Close()
			c.reply("\r\n")
			return true
		})
		s := serve(t, Config{}, route(f))
		for _, chunked := range []bool{false, true} {
			p := s.dial()
			go sendUpload(p, body, chunked)
			if r := p.receive("POST"); r.Err != nil || digest([]byte(r.Body)) != digest(body) {
				t.Errorf("chunked=%v: got %d bytes, %v", chunked, len(r.Body), r.Err)
			}
			if r := p.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok").receive("POST"); r.Body != "ok" {
				t.Errorf("got %+v behind the echo", r)
			}
		}
	})
}

// What one side sends slowly reaches the other at once, chunk for chunk.
func TestPiecesAreNotHeldBack(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		s := serve(t, Config{}, route(start(t, proto, 1, func(c *call) bool {
			c.reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			for in := bufio.NewReader(c.Body); ; {
				line, err := in.ReadString('\n')
				if err != nil {
					c.reply("0\r\n\r\n")
					return true
				}
				c.reply("%x\r\n%s\r\n", len(line), line)
			}
		})))
		p := s.dial().send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
		r, err := http.ReadResponse(p.in, nil)
		if err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(r.Body)
		for i := range 5 {
			want := fmt.Sprintf("line %d\n", i)
			p.send(fmt.Sprintf("%x\r\n%s\r\n", len(want), want))
			if got, err := in.ReadString('\n'); got != want {
				t.Fatalf("got %q, %v; want %q", got, err, want)
			}
		}
		p.send("0\r\n\r\n")
		if rest, err := io.ReadAll(in); len(rest) > 0 || err != nil {
			t.Errorf("got %q, %v", rest, err)
		}
	})
}

// In streaming mode a client that reads slowly slows the app.
func TestSlowReadersHoldTheAppBack(t *testing.T) {
	t.Parallel()
	wrote := make(chan int, 1)
	f := start(t, protocol.ProtocolHTTP, 1, func(c *call) bool {
		c.reply("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", 1<<30)
		n, piece := 0, make([]byte, 1<<20)
		for {
			m, err := c.Conn.Write(piece)
			if n += m; err != nil {
				wrote <- n
				return false
			}
		}
	})
	r := route(f)
	r.BufferResponse = new(false)
	s := serve(t, Config{}, r)
	p := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	p.in.Peek(1)
	eventually(t, "a stalled write", s.writeWaits)
	p.Close()
	if n := within(t, wrote, "the app's write fails"); n > 64<<20 {
		t.Errorf("the app wrote %d bytes to a client that read none", n)
	}
}

// Row 14 of the fault matrix: the app leaves the body unread, which resets its
// connection, and the client still gets the answer.
func TestAppMayAnswerBeforeItReadTheBody(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		f := start(t, proto, 1, func(c *call) bool {
			if c.Target == "/" {
				c.reply("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!")
				return false
			}
			c.ok("ok")
			return true
		})
		s := serve(t, Config{}, route(f))
		p := s.dial().send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n")
		go func() {
			for piece := make([]byte, 64<<10); ; {
				if _, err := p.Conn.Write(piece); err != nil {
					return
				}
			}
		}()
		if r := p.receive("POST"); r.Status != 413 || r.Body != "no!" || !r.Close {
			t.Errorf("got %+v", r)
		}
		if r := s.dial().get("/other"); r.Body != "ok" {
			t.Errorf("got %+v behind it", r)
		}
	})
}

// A client keeps its connection if the process takes the body after its answer,
// and else is told that it loses it.
func TestAnswersBeforeTheBodyWasRead(t *testing.T) {
	t.Parallel()
	const size = 500_000 // so little that it is there within takesOn on a busy machine
	both(t, func(t *testing.T, proto string) {
		f := start(t, proto, 1, func(c *call) bool {
			switch c.Target {
			case "/takes":
				c.ok("early")
				io.Copy(io.Discard, c.Body)
			case "/leaves":
				c.reply("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nearly")
				return false
			default:
				c.ok("next")
			}
			return true
		})
		s := serve(t, Config{}, route(f))
		p := s.dial().send(fmt.Sprintf("POST /takes HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size))
		if r := p.receive("POST"); r.Body != "early" || r.Close {
			t.Errorf("got %+v", r)
		}
		p.send(strings.Repeat("x", size))
		if r := p.get("/next"); r.Body != "next" {
			t.Errorf("got %+v behind the body", r)
		}
		p.send(fmt.Sprintf("POST /leaves HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size))
		if r := p.receive("POST"); r.Body != "early" || !r.Close {
			t.Errorf("got %+v, want one that says the connection ends", r)
		}
	})
}

// Row 11 of the fault matrix: half a head, half a body.
func TestCutOffResponsesAreSeenAsSuch(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		s := serve(t, Config{}, route(start(t, proto, 1, func(c *call) bool {
			switch c.Target {
			case "/sized":
				c.reply("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
			case "/chunked":
				c.reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
			case "/bad":
				c.reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n")
			case "/head":
				c.reply("HTTP/1.1 200 OK\r\nContent-")
			}
			return false
		})))
		if r := s.dial().get("/bad"); r.Status != 502 {
			t.Errorf("/bad: got %d, want 502", r.Status)
		}
		for _, path := range []string{"/sized", "/chunked"} {
			p := s.dial()
			if r := p.get(path); r.Err == nil || r.Body != "hello" {
				t.Errorf("%s: got %q, %v; want an error", path, r.Body, r.Err)
			}
		}
		for _, path := range []string{"/head", "/nothing"} {
			p := s.dial()
			if r := p.get(path); r.Status != 502 || !strings.Contains(r.Body, "without an answer") {
				t.Errorf("%s: got %d %q", path, r.Status, r.Body)
			}
			if r := p.get(path); r.Status != 502 {
				t.Errorf("%s: the connection ended with the first 502", path)
			}
		}
		// An old client knows no chunks, so only a reset tells it.
		p := s.dial().send("GET /chunked HTTP/1.0\r\n\r\n")
		if r := p.receive("GET"); r.Err == nil {
			t.Errorf("got %q without an error", r.Body)
		}
	})
}

func TestResponsesWithoutBody(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		f := start(t, proto, 1, func(c *call) bool {
			switch c.Target {
			case "/204":
				c.reply("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")
			case "/304":
				c.reply("HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\nETag: x\r\n\r\n")
			case "/empty":
				c.reply("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			case "/head":
				c.reply("HTTP/1.1 200 Fine\r\nContent-Length: 100\r\n\r\n")
			}
			return true
		})
		s := serve(t, Config{}, route(f))
		p := s.dial()
		for _, c := range []struct {
			method, path, length string
			status               int
		}{
			{"GET", "/204", "", 204}, {"GET", "/304", "100", 304}, {"GET", "/empty", "0", 200}, {"HEAD", "/head", "100", 200}, {"GET", "/204", "", 204},
		} {
			r := p.send(c.method + " " + c.path + " HTTP/1.1\r\nHost: a\r\n\r\n").receive(c.method)
			if r.Status != c.status || r.Header.Get("Content-Length") != c.length || r.Body != "" || r.Err != nil {
				t.Errorf("%s %s: got %+v", c.method, c.path, r)
			}
		}
		if n := f.accepted.Load(); n != 1 {
			t.Errorf("got %d connections, want one that is kept", n)
		}
	})
}

func TestInterimResponses(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		s := serve(t, Config{}, route(start(t, proto, 1, func(c *call) bool {
			c.reply("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nLink: </a>\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </h>\r\n\r\n")
			c.reply("HTTP/1.1 102 Processing\r\nLink: </b>\r\nConnection: close\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			return true
		})))
		p := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		for _, want := range []string{"</a>", "</b>"} {
			if r := p.receive("GET"); r.Status != 102 || r.Header.Get("Link") != want || r.Close {
				t.Errorf("got %+v, want 102 with %s", r, want)
			}
		}
		if r := p.receive("GET"); r.Status != 200 || r.Body != "ok" {
			t.Errorf("got %+v", r)
		}
	})
}

func TestContinueIsAnsweredWhenTheBodyIsWanted(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		s := serve(t, Config{}, route(start(t, proto, 1, func(c *call) bool {
			if c.header("Expect") != "" {
				t.Error("the app got Expect")
			}
			c.ok(c.body())
			return true
		})))
		p := s.dial()
		for _, size := range []int{5, maxHeld + 5} {
			body := strings.Repeat("x", size)
			p.send(fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", size))
			if r := p.receive("POST"); r.Status != 100 {
				t.Fatalf("got %+v, want 100", r)
			}
			if r := p.send(body).receive("POST"); r.Body != body {
				t.Errorf("got %d %q", r.Status, r.Body)
			}
			// With the body at once there is nothing to ask for.
			p.send(fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n%s", size, body))
			if r := p.receive("POST"); r.Status != 200 || r.Body != body {
				t.Errorf("got %d %.20q", r.Status, r.Body)
			}
		}
	})
	s := serve(t, Config{}) // no app
	p := s.dial().send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	if r := p.receive("POST"); r.Status != 404 || !r.Close {
		t.Errorf("got %+v, want 404", r)
	}
}

// What is left behind on a connection to a process never answers another
// client.
// Row 11 of the fault matrix: bytes behind the answer.
func TestConnectionsOutOfStepAreNotReused(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		f := start(t, proto, 1, func(c *call) bool {
			more := ""
			if c.Target == "/more" {
				more = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
			}
			c.reply("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s%s", len(c.Target), c.Target, more)
			return true
		})
		s := serve(t, Config{}, route(f))
		p := s.dial()
		for i := range 20 {
			for _, path := range []string{"/more", "/good"} {
				if r := p.get(path); r.Body != path {
					t.Fatalf("round %d: got %q, want %q", i, r.Body, path)
				}
			}
		}
	})
}

func TestBadResponsesAreRefused(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		texts := make(chan string, 1)
		s := serve(t, Config{}, route(start(t, proto, 1, func(c *call) bool {
			c.reply("%s", <-texts)
			return false
		})))
		p := s.dial()
		for _, text := range []string{
			"hello", "HTTP/1.1 200 OK\r\nLocation: /\rSet-Cookie: evil=1\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\nSet-Cookie: evil=1\r\n\r\n",
			"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
			"HTTP/1.1 103 Hints\r\nX: a\nSet-Cookie: evil=1\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
			"HTTP/1.1 200 OK\r\n" + strings.Repeat("A: "+strings.Repeat("b", 1000)+"\r\n", 70) + "\r\n",
		} {
			texts <- text
			if r := p.get("/"); r.Status != 502 || r.Header.Get("Set-Cookie") != "" {
				t.Errorf("%.60q: got %d %v", text, r.Status, r.Header)
			}
		}
		texts <- "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: "+strings.Repeat("b", 1000)+"\r\n", 60) + "Content-Length: 2\r\n\r\nok"
		if r := p.get("/"); r.Status != 200 || len(r.Header["A"]) != 60 {
			t.Errorf("large header: got %d with %d fields", r.Status, len(r.Header["A"]))
		}
	})
}

// The app learns that a client went away in the middle of its body.
func TestAppSeesCutOffUploads(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		began, ended := make(chan bool, 1), make(chan error, 1)
		s := serve(t, Config{}, route(start(t, proto, 1, func(c *call) bool {
			began <- true
			_, err := io.Copy(io.Discard, c.Body)
			ended <- err
			return false
		})))
		for _, head := range []string{"Content-Length: 100000", "Transfer-Encoding: chunked"} {
			p := s.dial().send("POST / HTTP/1.1\r\nHost: a\r\n" + head + "\r\n\r\n5\r\nhello\r\n")
			within(t, began, "the request is with the app")
			p.Conn.(*net.TCPConn).CloseWrite()
			if err := within(t, ended, "the app's read ends"); err == nil {
				t.Errorf("%s: the app saw a whole body", head)
			}
		}
		// A bad chunk after good ones is the client's fault and told so.
		p := s.dial().send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
		within(t, began, "the request is with the app")
		p.send("0x5\r\nhello\r\n")
		if r := p.receive("POST"); r.Status != 400 || !r.Close {
			t.Errorf("got %+v, want 400", r)
		}
		if err := within(t, ended, "the app's read ends"); err == nil {
			t.Error("the app saw a whole body")
		}
	})
}

// Row 38 of the fault matrix.
func TestClientsMayCloseTheirSendingSide(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		s := serve(t, Config{}, route(start(t, proto, 1, say("ok"))))
		p := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		p.Conn.(*net.TCPConn).CloseWrite()
		if r := p.receive("GET"); r.Body != "ok" {
			t.Errorf("got %+v", r)
		}
		p.closed()
	})
}

// A client that announces a body of some size and sends a byte of it holds no
// buffer of that size. Other tests do not run meanwhile.
func TestAnnouncedBodiesHoldNoMemory(t *testing.T) {
	const clients, most = 300, 10 << 20 // with buffers for all of it: 38 MB
	s := serve(t, Config{}, route(start(t, "http", 0, say("ok"))))
	held := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := held()
	body := strings.Repeat("x", maxHeld)
	var peers []*peer
	for range clients {
		p := s.dial().send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: " + fmt.Sprint(len(body)) + "\r\n\r\n")
		if line, err := p.in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
			t.Fatalf("got %q, %v", line, err)
		}
		peers = append(peers, p.send(body[:1]))
	}
	if n := held() - before; n > most {
		t.Errorf("%d clients that wait hold %d bytes", clients, n)
	}
	p := peers[0].send(body[1:])
	p.in.ReadString('\n') // ends the interim response
	if r := p.receive("POST"); r.Status != 200 {
		t.Errorf("got %+v", r)
	}
}
