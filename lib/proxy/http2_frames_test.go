package proxy

import (
	"bytes"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	h2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"passenger/lib/protocol"
)

// A framed client speaks HTTP/2 frame by frame.
type framed struct {
	*h2.Framer
	t     testing.TB
	nc    *tls.Conn
	block bytes.Buffer
	enc   *hpack.Encoder
	dec   *hpack.Decoder
}

func dialFramed(t testing.TB, addr string, settings ...h2.Setting) *framed {
	t.Helper()
	config := careless.Clone()
	config.NextProtos = []string{"h2"}
	nc, err := tls.Dial("tcp", addr, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	f := &framed{Framer: h2.NewFramer(nc, nc), t: t, nc: nc, dec: hpack.NewDecoder(4096, nil)}
	f.enc = hpack.NewEncoder(&f.block)
	f.must(nc.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(nc, h2.ClientPreface)
	f.must(err)
	f.must(f.WriteSettings(settings...))
	return f
}

func (f *framed) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// ask opens a stream with fields as "name: value".
func (f *framed) ask(id uint32, ended bool, fields ...string) error {
	f.block.Reset()
	for _, s := range fields {
		at := strings.Index(s[1:], ":") + 1
		f.must(f.enc.WriteField(hpack.HeaderField{Name: s[:at], Value: s[at+2:]}))
	}
	return f.WriteHeaders(h2.HeadersFrameParam{StreamID: id, BlockFragment: f.block.Bytes(), EndStream: ended, EndHeaders: true})
}

// request are the fields of a request by the method.
func headerFields(method string, more ...string) []string {
	return append([]string{":method: " + method, ":scheme: https", ":path: /", ":authority: a.test"}, more...)
}

// answer reads what comes on a stream until it ends, or DATA comes and some is
// wanted: the status, the body, and how the stream ended, "" if it goes on.
func (f *framed) answer(id uint32, some bool) (status, body, end string) {
	f.t.Helper()
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return status, body, err.Error()
		}
		if g, ok := frame.(*h2.GoAwayFrame); ok && g.ErrCode != h2.ErrCodeNo {
			return status, body, g.ErrCode.String()
		}
		if frame.Header().StreamID != id {
			continue
		}
		switch frame := frame.(type) {
		case *h2.HeadersFrame:
			fields, err := f.dec.DecodeFull(frame.HeaderBlockFragment())
			f.must(err)
			status = fields[0].Value
		case *h2.DataFrame:
			if body += string(frame.Data()); some {
				return status, body, ""
			}
		case *h2.RSTStreamFrame:
			return status, body, frame.ErrCode.String()
		}
		if t := frame.Header().Type; t <= h2.FrameHeaders && frame.Header().Flags.Has(h2.FlagDataEndStream) {
			return status, body, "end"
		}
	}
}

// status reads what comes on a stream up to its first head.
func (f *framed) status(id uint32) string {
	f.t.Helper()
	for {
		frame, err := f.ReadFrame()
		f.must(err)
		if h, ok := frame.(*h2.HeadersFrame); ok && h.StreamID == id {
			fields, err := f.dec.DecodeFull(h.HeaderBlockFragment())
			f.must(err)
			return fields[0].Value
		}
	}
}

// X27, and row 56 of the fault matrix: 10,000 requests that are taken back at
// once reach the app within bounds, and others are served meanwhile.
func TestRapidResetsAreBounded(t *testing.T) {
	t.Parallel()
	g := newGate()
	f := start(t, protocol.ProtocolHTTP, 0, func(c *call) bool {
		if c.Target == "/ok" {
			return say("ok")(c)
		}
		return g.answer(c)
	})
	s, addr := serveTLS(t, Config{}, route(f))
	c := dialFramed(t, addr)
	stopped := make(chan bool)
	go func() {
		defer close(stopped)
		for i := range uint32(10_000) {
			if c.ask(2*i+1, true, headerFields("GET")...) != nil || c.WriteRSTStream(2*i+1, h2.ErrCodeCancel) != nil {
				return
			}
		}
	}()
	if r := s.dial().get("/ok"); r.Body != "ok" {
		t.Errorf("another client got %+v", r)
	}
	if _, _, end := c.answer(0, false); end != "ENHANCE_YOUR_CALM" {
		t.Errorf("got %s", end)
	}
	c.nc.Close()
	within(t, stopped, "the client")
	eventually(t, "the sessions end", func() bool { return s.inFlight(f) == 0 })
	if n := f.requests.Load(); n > 300 {
		t.Errorf("the app saw %d requests", n)
	}
	if r := s.dial().get("/ok"); r.Body != "ok" {
		t.Errorf("another client got %+v", r)
	}
	g.open()
}

// X31: a megabyte of cookies is refused.
func TestMegabytesOfCookiesAreRefused(t *testing.T) {
	t.Parallel()
	f := start(t, protocol.ProtocolHTTP, 0, say("ok"))
	_, addr := serveTLS(t, Config{}, route(f))
	for name, size := range map[string]int{"as one entry of the table": 100, "in full": 5000} {
		c := dialFramed(t, addr)
		go func() { // who refuses reads no further
			fields := headerFields("GET")
			for i := range 1 << 20 / size {
				fields = append(fields, "cookie: "+fmt.Sprint(i%10)+strings.Repeat("c", size))
			}
			c.block.Reset()
			for _, s := range fields {
				at := strings.Index(s[1:], ":") + 1
				_ = c.enc.WriteField(hpack.HeaderField{Name: s[:at], Value: s[at+2:], Sensitive: size > 1000 && at > 5})
			}
			_ = c.WriteHeaders(h2.HeadersFrameParam{StreamID: 1, EndStream: true})
			for c.block.Len() > 0 {
				part := bytes.Clone(c.block.Next(16 << 10))
				if c.WriteContinuation(1, c.block.Len() == 0, part) != nil {
					return
				}
			}
		}()
		if status, _, end := c.answer(1, false); status != "431" && end != "ENHANCE_YOUR_CALM" {
			t.Errorf("%s: got %s, %s", name, status, end)
		}
	}
	if f.requests.Load() > 0 {
		t.Error("it reached the app")
	}
}

func TestHTTP2TimesOut(t *testing.T) {
	t.Parallel()
	f := start(t, protocol.ProtocolHTTP, 0, func(c *call) bool { io.Copy(io.Discard, c.Body); c.ok("ok"); return true })
	t.Run("a slow body", func(t *testing.T) {
		s, addr := serveTLS(t, short(func(t *Timeouts) { t.Body = brief }), route(f))
		c := dialFramed(t, addr)
		c.must(c.ask(1, false, headerFields("POST", "content-length: 9")...))
		if status, _, end := c.answer(1, false); status != "408" {
			t.Errorf("got %s, %s", status, end)
		}
		eventually(t, "the session ends", func() bool { return s.inFlight(f) == 0 })
	})
	t.Run("no window", func(t *testing.T) {
		s, addr := serveTLS(t, Config{}, route(f))
		c := dialFramed(t, addr, h2.Setting{ID: h2.SettingInitialWindowSize, Val: 0})
		c.must(c.ask(1, true, headerFields("GET")...))
		if status := c.status(1); status != "200" {
			t.Errorf("got %s", status)
		}
		eventually(t, "the session ends", func() bool { s.pass(patience); return s.inFlight(f) == 0 && !s.writeWaits() })
		if _, _, end := c.answer(1, false); end != "INTERNAL_ERROR" {
			t.Errorf("got %s", end)
		}
	})
}

// A client that left while it waited for a process leaves the queue.
func TestClientsOfHTTP2LeaveTheQueue(t *testing.T) {
	t.Parallel()
	g := newGate()
	f := start(t, protocol.ProtocolHTTP, 1, g.answer)
	s, addr := serveTLS(t, Config{}, route(f))
	c := dialFramed(t, addr)
	c.must(c.ask(1, true, headerFields("POST")...))
	within(t, g.came, "the call")
	c.must(c.ask(3, true, headerFields("POST")...))
	eventually(t, "the queue forms", func() bool { return s.queued() == 1 })
	c.must(c.WriteRSTStream(3, h2.ErrCodeCancel))
	eventually(t, "the queue ends", func() bool { return s.queued() == 0 })
	g.open()
	if status, _, end := c.answer(1, false); status != "200" || end != "end" {
		t.Errorf("got %s, %s", status, end)
	}
	if n := f.requests.Load(); n != 1 {
		t.Errorf("the app saw %d requests", n)
	}
}

// RFC 8441, through both data protocols.
func TestWebSocketsOverHTTP2(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		clean := make(chan bool, 1)
		f := start(t, proto, 0, func(c *call) bool {
			sum := sha1.Sum([]byte(c.header("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
			c.reply("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\nSec-WebSocket-Accept: %s\r\n\r\n",
				c.header("Upgrade"), base64.StdEncoding.EncodeToString(sum[:]))
			_, err := io.Copy(c.Conn, c.In) // to the end of what the client sends
			c.reply("bye")
			clean <- err == nil
			return false
		})
		s, addr := serveTLS(t, Config{}, route(f))
		c := dialFramed(t, addr)
		c.must(c.ask(1, false, ":method: CONNECT", ":protocol: websocket", ":scheme: https", ":path: /chat", ":authority: a.test", "sec-websocket-version: 13"))
		for i := range 3 {
			text := fmt.Sprint("message ", i)
			c.must(c.WriteData(1, false, []byte(text)))
			if status, body, end := c.answer(1, true); i == 0 && status != "200" || body != text || end != "" {
				t.Errorf("got %s, %q, %s", status, body, end)
			}
		}
		c.must(c.WriteData(1, true, nil))
		if _, body, how := c.answer(1, false); body != "bye" || how != "end" {
			t.Errorf("got %q, %s", body, how)
		}
		eventually(t, "the session ends", func() bool { return s.inFlight(f) == 0 })
		if !<-clean {
			t.Error("the app saw no clean end")
		}
	})
}

// Events arrive as they are sent, not when there are many.
func TestEventsStreamOverHTTP2(t *testing.T) {
	t.Parallel()
	next := make(chan string)
	f := start(t, protocol.ProtocolHTTP, 0, func(c *call) bool {
		c.reply("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
		for text := range next {
			c.reply("%x\r\n%s\r\n", len(text), text)
		}
		c.reply("0\r\n\r\n")
		return true
	})
	_, addr := serveTLS(t, Config{}, route(f))
	c := dialFramed(t, addr)
	c.must(c.ask(1, true, headerFields("GET")...))
	for i := range 3 {
		text := fmt.Sprintf("data: %d\n\n", i)
		next <- text
		if _, body, end := c.answer(1, true); body != text || end != "" {
			t.Errorf("got %q, %s", body, end)
		}
	}
	close(next)
	if _, body, end := c.answer(1, false); body != "" || end != "end" {
		t.Errorf("got %q, %s", body, end)
	}
}

// A drain answers what is under way, and ends what is idle.
func TestHTTP2Drains(t *testing.T) {
	t.Parallel()
	g := newGate()
	f := start(t, protocol.ProtocolHTTP, 0, g.answer)
	s, addr := serveTLS(t, Config{}, route(f))
	busy, idle := dialFramed(t, addr), dialFramed(t, addr)
	idle.must(idle.WritePing(false, [8]byte{}))
	busy.must(busy.ask(1, true, headerFields("GET")...))
	within(t, g.came, "the call")
	go s.cancel()
	for {
		frame, err := busy.ReadFrame()
		busy.must(err)
		if _, ok := frame.(*h2.GoAwayFrame); ok {
			break
		}
	}
	g.open()
	if status, _, end := busy.answer(1, false); status != "200" || end != "end" {
		t.Errorf("got %s, %s", status, end)
	}
	within(t, s.stopped, "the proxy")
}

// A client of HTTP/2 with a window of a byte takes longer for an answer than the
// write timeout, which is for clients that take nothing.
func TestTinyWindowsOutlastTheWriteTimeout(t *testing.T) {
	t.Parallel()
	const size = 500
	f := start(t, protocol.ProtocolHTTP, 0, say(strings.Repeat("x", size)))
	s, addr := serveTLS(t, Config{}, route(f))
	c := dialFramed(t, addr, h2.Setting{ID: h2.SettingInitialWindowSize, Val: 1})
	c.must(c.ask(1, true, headerFields("GET")...))
	for got := 0; got < size; {
		frame, err := c.ReadFrame()
		c.must(err)
		switch frame := frame.(type) {
		case *h2.DataFrame:
			got += len(frame.Data())
			for _, id := range []uint32{0, 1} {
				c.must(c.WriteWindowUpdate(id, uint32(len(frame.Data()))))
			}
			if got%50 == 0 { // five times the timeout in all
				s.pass(patience / 2)
			}
		case *h2.GoAwayFrame, *h2.RSTStreamFrame:
			t.Fatalf("got %v after %d bytes", frame, got)
		}
	}
	// Then it takes one, and nothing more.
	c.must(c.ask(3, true, headerFields("GET")...))
	if status, body, end := c.answer(3, true); status != "200" || body != "x" {
		t.Errorf("got %s, %q, %s", status, body, end)
	}
	eventually(t, "the session ends", func() bool { s.pass(patience); return s.inFlight(f) == 0 && !s.writeWaits() })
	if _, body, end := c.answer(3, false); body != "" || end == "end" {
		t.Errorf("got %q, %s; want a reset", body, end)
	}
}
