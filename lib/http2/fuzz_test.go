package http2

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	h2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"passenger/lib/http1"
)

// A script is a client that has sent all that it ever sends, and keeps what it
// gets.
type script struct {
	net.Conn // none: whoever calls the rest fails
	in       io.Reader

	mu  sync.Mutex
	out bytes.Buffer
}

func (c *script) Read(p []byte) (int, error)       { return c.in.Read(p) }
func (c *script) Close() error                     { return nil }
func (c *script) SetReadDeadline(time.Time) error  { return nil }
func (c *script) SetWriteDeadline(time.Time) error { return nil }

func (c *script) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(p)
}

// framed makes frames of b, so that what is changed in it leaves frames: each
// is a kind, flags, a stream, a length in two bytes, and so much of the rest.
func framed(b []byte) []byte {
	out := []byte(h2.ClientPreface)
	for len(b) >= 5 {
		n := min(int(binary.BigEndian.Uint16(b[3:])), len(b)-5)
		out = appendFrame(out, n, h2.FrameType(b[0]), h2.Flags(b[1]), uint32(b[2]))
		out = append(out, b[5:5+n]...)
		b = b[5+n:]
	}
	return append(out, b...)
}

// seed is the reverse for one frame.
func seed(kind h2.FrameType, flags h2.Flags, stream byte, payload string) string {
	return string([]byte{byte(kind), byte(flags), stream, byte(len(payload) >> 8), byte(len(payload))}) + payload
}

const (
	getBlock  = "\x82\x84\x86\x41\x01a"
	postBlock = "\x83\x84\x86\x41\x01a"
	endHead   = h2.FlagHeadersEndHeaders
	endAll    = h2.FlagHeadersEndHeaders | h2.FlagHeadersEndStream
)

// Whatever a client sends: the connection ends, with all its goroutines, and
// what it sent are frames in an order that is allowed.
func FuzzConnection(f *testing.F) {
	hello := seed(h2.FrameSettings, 0, 0, "")
	get := seed(h2.FrameHeaders, endAll, 1, getBlock)
	post := seed(h2.FrameHeaders, endHead, 3, postBlock)
	for _, s := range []string{
		"", hello, hello + get, hello + get + seed(h2.FrameHeaders, endAll, 5, "\x82\x84\x86\xbe"),
		hello + post + seed(h2.FrameData, h2.FlagDataEndStream, 3, "hello"),
		hello + post + seed(h2.FrameData, h2.FlagDataPadded, 3, "\x02hello") + seed(h2.FrameHeaders, endAll, 3, "\x00\x01x\x01y"),
		hello + post + seed(h2.FrameRSTStream, 0, 3, "\x00\x00\x00\x08") + seed(h2.FrameData, 0, 3, "x"),
		hello + get + seed(h2.FrameWindowUpdate, 0, 1, "\x00\x00\x00\x00") + seed(h2.FrameWindowUpdate, 0, 0, "\x7f\xff\xff\xff"),
		hello + seed(h2.FrameHeaders, 0, 1, getBlock[:2]) + seed(h2.FrameContinuation, endHead, 1, getBlock[2:]),
		seed(h2.FrameSettings, 0, 0, "\x00\x01\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00") + get + seed(h2.FrameSettings, 0, 0, "\x00\x04\x7f\xff\xff\xff") + seed(h2.FrameSettings, h2.FlagSettingsAck, 0, ""),
		hello + seed(h2.FramePing, 0, 0, "12345678") + seed(h2.FramePriority, 0, 1, "\x00\x00\x00\x03\x10") + seed(0x10, 0, 0, "\x00\x00\x00\x01u=1") + seed(h2.FrameGoAway, 0, 0, "\x00\x00\x00\x00\x00\x00\x00\x00"),
		hello + seed(h2.FrameHeaders, endHead|h2.FlagHeadersPriority|h2.FlagHeadersPadded, 1, "\x01\x00\x00\x00\x01\x01"+getBlock+"x"),
		hello + seed(h2.FrameHeaders, endHead, 7, "\x02\x07CONNECT\x84\x86\x41\x01a\x00\x09:protocol\x09websocket") + seed(h2.FrameData, 0, 7, "frame"),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		nc := &script{in: bytes.NewReader(framed(b))}
		config := quick
		config.Serve = serveSomehow
		c := NewConn(nc, &config)
		done := make(chan bool)
		go func() { defer close(done); c.Serve() }()
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Fatal("the connection does not end")
		}
		if c.served != 0 || len(c.streams) != 0 || c.open != 0 {
			t.Errorf("at the end %d streams are served, %d known and %d open", c.served, len(c.streams), c.open)
		}
		checkOutput(t, nc.out.Bytes())
	})
}

// serveSomehow is an app that has several ways, by the stream's number.
func serveSomehow(s *Stream) {
	const page = "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n"
	switch s.id % 8 {
	case 1:
		_, _ = io.CopyN(io.Discard, s, 40)
		_, _ = s.WriteBoth([]byte(page[:70]), []byte(page[70:]))
	case 3:
		_, _ = io.CopyN(io.Discard, s, 100)
		_, _ = io.WriteString(s, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat("x", 100_000))
	case 5:
		_, _ = io.WriteString(s, ok)
	case 7:
		_, _ = io.WriteString(s, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+accepted(s.key)+"\r\n\r\n")
		_, _ = io.Copy(s, s)
	}
}

// checkOutput says if b are frames of a server that keeps to RFC 9113, 5.1.
func checkOutput(t *testing.T, b []byte) {
	fr := h2.NewFramer(io.Discard, bytes.NewReader(b))
	fr.SetMaxReadFrameSize(maxFrame)
	fr.ReadMetaHeaders = hpack.NewDecoder(tableSize, nil)
	over := map[uint32]bool{}
	for {
		f, err := fr.ReadFrame()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatalf("of %d bytes sent: %v", len(b), err)
		}
		id, flags := f.Header().StreamID, f.Header().Flags
		switch f := f.(type) {
		case *h2.MetaHeadersFrame, *h2.DataFrame:
			if over[id] {
				t.Fatalf("%v after the end of stream %d", f.Header(), id)
			}
			over[id] = flags.Has(h2.FlagDataEndStream)
		case *h2.RSTStreamFrame:
			over[id] = true
		}
	}
}

// Whatever a block of fields holds: it is refused, or becomes one head of
// HTTP/1.1 that says the same, and nothing that follows it.
func FuzzHead(f *testing.F) {
	encode := func(fields ...string) []byte {
		var b bytes.Buffer
		e := hpack.NewEncoder(&b)
		for _, s := range fields {
			at := strings.Index(s[1:], ":") + 1
			_ = e.WriteField(hpack.HeaderField{Name: s[:at], Value: strings.TrimPrefix(s[at+1:], " ")}) // to memory
		}
		return b.Bytes()
	}
	for _, more := range [][]string{
		nil, {"cookie: a=b", "cookie: c=d"}, {"host: a.test"}, {"host: b.test"}, {"content-length: 5"}, {"content-length: 5", "content-length: 6"},
		{"transfer-encoding: chunked"}, {"connection: close"}, {"te: trailers"}, {"X-Upper: x"}, {"x: a\r\nevil: b"}, {"x: a\x00b"}, {"x:  a"}, {":path: /2"}, {"a b: c"},
		{"x: " + strings.Repeat("y", 70_000)}, {"expect: 100-continue"}, {"upgrade: h2c"},
	} {
		f.Add(encode(append(plain[:4:4], more...)...), len(more) == 0)
	}
	f.Add(encode(":method: GET ", ":scheme: http", ":path: / HTTP/1.1", ":authority: a"), true)
	f.Add(encode(":method: CONNECT", ":authority: a:443"), false)
	f.Add(encode(":method: OPTIONS", ":scheme: http", ":path: *", ":authority: user@a"), true)
	f.Add(encode(":method: CONNECT", ":protocol: websocket", ":scheme: http", ":path: /", ":authority: a"), false)
	f.Fuzz(func(t *testing.T, block []byte, ended bool) {
		var h head
		h.reset(false)
		d := hpack.NewDecoder(tableSize, h.field)
		d.SetMaxStringLength(maxHead)
		if _, err := d.Write(block); err != nil || d.Close() != nil || !h.check(ended) {
			return
		}
		text := h.text(ended, "key")
		if limit := 2*maxHead + 3*maxHead + 1000; len(text) > limit {
			t.Fatalf("the head has %d bytes", len(text))
		}
		var r http1.Request
		r.Reset()
		done, err := r.Parse(text)
		if h.tooLong && done && err == nil {
			t.Fatalf("%q is taken, which is too long", text)
		}
		if h.tooLong || err != nil {
			return
		}
		switch want := h.method; {
		case !done || r.Len != len(text):
			t.Fatalf("of %q, %d bytes are the head", text, r.Len)
		case !h.isTunnel() && string(r.Method) != want:
			t.Fatalf("%q became %q", want, r.Method)
		case string(r.Host) != h.authority:
			t.Fatalf("%q became %q", h.authority, r.Host)
		case r.Chunked != h.isChunked(ended):
			t.Fatalf("the body of %q comes in chunks: %v", text, r.Chunked)
		case h.length > 0 && !h.isTunnel() && r.ContentLength != h.length:
			t.Fatalf("%d became %d", h.length, r.ContentLength)
		}
	})
}
