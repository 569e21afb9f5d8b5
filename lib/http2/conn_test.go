package http2

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	h2 "golang.org/x/net/http2"
)

// X26: a client that says nothing, or not enough, is not waited for.
func TestSilentConnectionsEnd(t *testing.T) {
	t.Parallel()
	const brief = 30 * time.Millisecond
	headers := func(p *peer) {
		p.must(p.WriteHeaders(h2.HeadersFrameParam{StreamID: 1, BlockFragment: p.encode(plain...), EndStream: true}))
	}
	for name, test := range map[string]struct {
		config func(*Config)
		send   func(p *peer)
	}{
		"before the preface": {func(c *Config) { c.Header = brief }, func(p *peer) {}},
		"in the preface":     {func(c *Config) { c.Header = brief }, func(p *peer) { io.WriteString(p.nc, h2.ClientPreface[:9]) }},
		"after the preface":  {func(c *Config) { c.Header = brief }, func(p *peer) { io.WriteString(p.nc, h2.ClientPreface) }},
		"in a head": {func(c *Config) { c.Header = brief }, func(p *peer) {
			io.WriteString(p.nc, h2.ClientPreface)
			p.must(p.WriteSettings())
			headers(p)
		}},
		"in a frame": {func(c *Config) { c.Header = brief }, func(p *peer) {
			io.WriteString(p.nc, h2.ClientPreface)
			p.must(p.WriteSettings())
			p.nc.Write([]byte{0, 0, 9, 1, 4, 0, 0, 0, 1, 0x82})
		}},
		"without a request": {func(c *Config) { c.Idle = brief }, func(p *peer) {
			io.WriteString(p.nc, h2.ClientPreface)
			p.must(p.WriteSettings())
		}},
		"after a request": {func(c *Config) { c.Idle = brief }, func(p *peer) {
			io.WriteString(p.nc, h2.ClientPreface)
			p.must(p.WriteSettings())
			p.get(1)
			p.until("DATA")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := answering(nil, ok)
				test.config(&c)
				p := piped(t, c)
				test.send(p)
				p.until("GOAWAY")
				if got := p.next(); got != "closed" {
					t.Errorf("got %s", got)
				}
			})
		})
	}
}

func TestBusyConnectionsAreNotIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := quick
		c.Idle = time.Second
		c.Serve = func(s *Stream) {
			_ = s.SetReadDeadline(time.Now().Add(5 * c.Idle))
			_, _ = io.Copy(io.Discard, s) // the wait is for the deadline
			_, _ = io.WriteString(s, ok)
		}
		p := piped(t, c).begin()
		p.get(1)
		p.expect("HEADERS(1 :status=200 content-length=2) DATA(1 ok end)")
	})
}

// A client that reads nothing is given up, though there is room in its windows.
func TestConnectionsThatTakeNothingEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		failed := make(chan error, 1)
		c := quick
		c.Serve = func(s *Stream) {
			_, err := io.WriteString(s, "HTTP/1.1 200 OK\r\n\r\n")
			for b := make([]byte, 1<<20); err == nil; {
				_, err = s.Write(b)
			}
			failed <- err
		}
		p := piped(t, c).begin(h2.Setting{ID: h2.SettingInitialWindowSize, Val: 1<<31 - 1})
		p.must(p.WriteWindowUpdate(0, 1<<31-1-65535))
		p.get(1)
		if err := <-failed; err == nil {
			t.Error("it went on")
		}
		<-p.done
	})
}

// A slow app holds the client's upload, and no more of it than the window.
func TestUploadsWaitForTheReader(t *testing.T) {
	t.Parallel()
	read, reading := make(chan bool), false
	c := quick
	c.Serve = func(s *Stream) {
		<-read
		r, err := http.ReadRequest(bufio.NewReader(s))
		if err == nil {
			var n int64
			n, err = io.Copy(io.Discard, r.Body)
			_, _ = fmt.Fprintf(s, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n%7d", n)
		}
		if err != nil {
			t.Error(err)
		}
	}
	p := start(t, c)
	p.headers(1, false, ":method: POST", ":scheme: http", ":path: /", ":authority: a")
	const size = 2 << 20
	window, conn := streamWindow, connWindow
	for sent := 0; sent < size; {
		n := min(maxFrame, window, conn, size-sent)
		if n > 0 {
			sent, window, conn = sent+n, window-n, conn-n
			p.must(p.WriteData(1, sent == size, make([]byte, n)))
			continue
		}
		if !reading {
			// Nothing is granted before something is read.
			p.must(p.WritePing(false, [8]byte{'w'}))
			p.expect(`PING("w\x00\x00\x00\x00\x00\x00\x00" true)`)
			close(read)
			reading = true
		}
		f, err := p.ReadFrame()
		p.must(err)
		if f, ok := f.(*h2.WindowUpdateFrame); ok && f.StreamID == 0 {
			conn += int(f.Increment)
		} else if ok {
			window += int(f.Increment)
		}
	}
	if got, want := p.until("DATA"), fmt.Sprintf("DATA(1 %7d end)", size); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestStreamsThatAreResetBreakOff(t *testing.T) {
	t.Parallel()
	began, failed := make(chan bool), make(chan error)
	c := quick
	c.Serve = func(s *Stream) {
		close(began)
		_, err := io.Copy(io.Discard, s)
		if !s.Gone() {
			t.Error("the client is still there")
		}
		if _, err := s.Write([]byte(ok)); err == nil {
			t.Error("the answer was taken")
		}
		failed <- err
	}
	p := start(t, c)
	p.get(1)
	<-began
	p.must(p.WriteRSTStream(1, h2.ErrCodeCancel))
	if err := <-failed; !errors.Is(err, errGone) {
		t.Errorf("got %v", err)
	}
	p.must(p.WriteData(1, true, nil))
	p.expect("RST_STREAM(1 STREAM_CLOSED)")
}

// RFC 9113, 6.8: what is under way when a connection drains is answered, and so
// is what the client sent before it could know.
func TestDrainIsGraceful(t *testing.T) {
	t.Parallel()
	answer := make(chan bool)
	c := quick
	c.Serve = func(s *Stream) {
		<-answer
		_, _ = io.WriteString(s, ok)
	}
	p := start(t, c)
	p.get(1)
	p.conn.Shutdown()
	p.expect(`GOAWAY(2147483647 NO_ERROR) PING("draining" false)`)
	p.get(3)
	p.must(p.WritePing(true, drainPing))
	p.expect("GOAWAY(3 NO_ERROR)")
	p.get(5) // too late
	close(answer)
	var got []string
	for f := p.next(); f != "closed"; f = p.next() {
		got = append(got, f)
	}
	text := strings.Join(got, " ")
	if !strings.Contains(text, "DATA(1 ok end)") || !strings.Contains(text, "DATA(3 ok end)") || strings.Contains(text, "(5 ") {
		t.Errorf("got %s", text)
	}
}

func TestIdleConnectionsDrainWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	p := start(t, answering(nil, ok))
	p.conn.Shutdown()
	p.expect(`GOAWAY(2147483647 NO_ERROR) PING("draining" false) GOAWAY(0 NO_ERROR)`)
	p.until("GOAWAY")
	if got := p.next(); got != "closed" {
		t.Errorf("got %s", got)
	}
}

// A client that has just connected gets an answer to what it was about to ask.
func TestDrainWaitsForTheFirstRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := piped(t, answering(nil, ok)).begin()
		p.conn.Shutdown()
		p.conn.Shutdown()
		if p.conn.drain.begun {
			t.Error("GOAWAY went before the first request")
		}
		p.get(1)
		var got []string
		for f := p.next(); f != "closed"; f = p.next() {
			got = append(got, f)
			if strings.HasPrefix(f, "PING") {
				p.must(p.WritePing(true, drainPing))
			}
		}
		text := strings.Join(got, " ")
		if !strings.Contains(text, "DATA(1 ok end)") || strings.Count(text, "GOAWAY(2147483647 NO_ERROR)") != 1 || !strings.Contains(text, "GOAWAY(1 NO_ERROR)") {
			t.Errorf("got %s", text)
		}
	})
}

func TestWebSocketsAreTunnels(t *testing.T) {
	t.Parallel()
	ask := []string{":method: CONNECT", ":protocol: websocket", ":scheme: http", ":path: /chat", ":authority: a", "sec-websocket-version: 13", "sec-websocket-key: forged"}
	for name, test := range map[string]struct {
		answer func(key string) string
		frames string
	}{
		"accepted": {func(key string) string {
			return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " + accepted(key) + "\r\nX: y\r\n\r\n"
		}, "HEADERS(1 :status=200 x=y) DATA(1 ping) DATA(1  end)"},
		"accepted falsely": {func(string) string {
			return "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n\r\n"
		}, "HEADERS(1 :status=502 end)"},
		"ignored": {func(string) string { return ok }, "HEADERS(1 :status=502 end)"},
		"refused": {func(string) string { return "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno" }, "HEADERS(1 :status=403 content-length=2) DATA(1 no end)"},
	} {
		c := quick
		c.Serve = func(s *Stream) {
			in := bufio.NewReader(s)
			r, err := http.ReadRequest(in)
			if err != nil {
				t.Error(err)
				return
			}
			if r.Method != "GET" || r.URL.Path != "/chat" || r.Header.Get("Upgrade") != "websocket" || len(r.Header["Sec-Websocket-Key"]) != 1 {
				t.Errorf("got %v", r)
			}
			if _, err := io.WriteString(s, test.answer(r.Header.Get("Sec-WebSocket-Key"))); err == nil {
				_, _ = io.Copy(s, in) // to the end of what the client sends
			}
		}
		p := start(t, c)
		p.headers(1, false, ask...)
		got := p.next()
		if strings.Contains(got, "=200") {
			p.must(p.WriteData(1, false, []byte("ping")))
			got += " " + p.next()
			p.must(p.WriteData(1, true, nil))
		}
		for range strings.Count(test.frames, ") ") - strings.Count(got, ") ") {
			got += " " + p.next()
		}
		if got != test.frames {
			t.Errorf("%s: got %s, want %s", name, got, test.frames)
		}
	}
}
