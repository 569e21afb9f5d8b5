package proxy

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"passenger/lib/compress"
	"passenger/lib/protocol"
)

var page4K = strings.Repeat("<li>one item of a list</li>\n", 150)

// packs serves an app whose answers may be compressed.
func packs(t *testing.T, memory int, f *fake) *server {
	t.Helper()
	r := route(f)
	r.Compression = true
	return serve(t, Config{CompressionMemory: memory}, r)
}

// unpacked is a body as the app made it.
func (r reply) unpacked(t *testing.T) string {
	t.Helper()
	var in io.Reader = strings.NewReader(r.Body)
	var err error
	switch r.Header.Get("Content-Encoding") {
	case "gzip":
		in, err = gzip.NewReader(in)
	case "br":
		in = brotli.NewReader(in)
	case "zstd":
		in, err = zstd.NewReader(in)
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(in)
	if err != nil {
		t.Fatalf("%v after %q", err, b)
	}
	return string(b)
}

// Each answer has the body that the app made, in the coding that is wanted, and a head that
// fits that.
func TestAnswersAreCompressed(t *testing.T) {
	t.Parallel()
	sized := func(fields string) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", fields, len(page4K), page4K)
	}
	chunked := func(fields string) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\n%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n3\r\nend\r\n0\r\n\r\n", fields, len(page4K), page4K)
	}
	const html = "Content-Type: text/html; charset=utf-8\r\n"
	for _, c := range []struct {
		what, accept, answer string
		coding, etag, vary   string
	}{
		{"sized", "gzip", sized(html), "gzip", "", "Accept-Encoding"},
		{"chunked", "gzip, br", chunked(html), "br", "", "Accept-Encoding"},
		{"zstd", "gzip, deflate, br, zstd", chunked(html), "zstd", "", "Accept-Encoding"},
		{"a strong tag", "gzip", sized(html + "ETag: \"a\"\r\nAccept-Ranges: bytes\r\n"), "gzip", `W/"a"`, "Accept-Encoding"},
		{"a weak tag", "gzip", sized(html + "ETag: W/\"a\"\r\n"), "gzip", `W/"a"`, "Accept-Encoding"},
		{"another Vary", "gzip", sized(html + "Vary: Cookie\r\n"), "gzip", "", "Cookie, Accept-Encoding"},
		{"the same Vary", "gzip", sized(html + "Vary: Cookie, accept-encoding\r\n"), "gzip", "", "Cookie, accept-encoding"},
		{"not wanted", "identity", sized(html + "ETag: \"a\"\r\n"), "", `"a"`, "Accept-Encoding"},
		{"garbage", "gzip;q=nan, br;q=-1,,;;", chunked(html), "", "", "Accept-Encoding"},
		{"no-transform", "gzip", sized(html + "Cache-Control: public, No-Transform\r\n"), "", "", ""},
		{"encoded already", "gzip", sized(html + "Content-Encoding: x-own\r\n"), "x-own", "", ""},
		{"an image", "gzip", sized("Content-Type: image/png\r\n"), "", "", ""},
		{"no type", "gzip", sized(""), "", "", ""},
		{"a digest", "gzip", sized(html + "Content-MD5: abc\r\n"), "", "", ""},
		{"an event stream", "gzip", chunked("Content-Type: text/event-stream\r\n"), "", "", ""},
		{"trailers", "gzip", fmt.Sprintf("HTTP/1.1 200 OK\r\n%sTrailer: X-End\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\nX-End: yes\r\n\r\n", html, len(page4K), page4K), "", "", ""},
		{"short", "gzip", "HTTP/1.1 200 OK\r\n" + html + "Content-Length: 5\r\n\r\nshort", "", "", ""},
		{"an error", "gzip", strings.Replace(sized(html), "200 OK", "404 Not Found", 1), "gzip", "", "Accept-Encoding"},
		{"a part", "gzip", strings.Replace(sized(html+"Content-Range: bytes 0-9/99\r\n"), "200 OK", "206 Partial", 1), "", "", ""},
		{"JSON", "gzip", sized("Content-Type: application/problem+json\r\n"), "gzip", "", "Accept-Encoding"},
	} {
		for _, proto := range dataProtocols {
			s := packs(t, 16<<20, start(t, proto, 0, func(k *call) bool {
				answer := c.answer
				if k.Method == "HEAD" {
					head, _, _ := strings.Cut(answer, "\r\n\r\n")
					answer = head + "\r\n\r\n"
				}
				k.reply("%s", answer)
				return true
			}))
			want := page4K
			if _, body, _ := strings.Cut(c.answer, "\r\n\r\n"); len(body) < 10 {
				want = body
			}
			p := s.dial()
			for _, method := range []string{"GET", "HEAD", "GET"} {
				r := p.send(method + " / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: " + c.accept + "\r\n\r\n").receive(method)
				got := strings.Join([]string{r.Header.Get("Content-Encoding"), r.Header.Get("Etag"), strings.Join(r.Header.Values("Vary"), ", ")}, "|")
				if got != c.coding+"|"+c.etag+"|"+c.vary {
					t.Errorf("%s, %s %s: got %q in %+v", proto, method, c.what, got, r.Header)
				}
				if ours := c.coding != "" && c.coding != "x-own"; ours && (r.Header.Get("Content-Length") != "" || r.Header.Get("Accept-Ranges") != "") {
					t.Errorf("%s, %s %s: got %+v", proto, method, c.what, r.Header)
				}
				if method == "GET" && strings.TrimSuffix(r.unpacked(t), "end") != want {
					t.Errorf("%s, %s: got %d bytes", proto, c.what, len(r.unpacked(t)))
				}
			}
			r := s.dial().send("GET / HTTP/1.0\r\nAccept-Encoding: " + c.accept + "\r\n\r\n").receive("GET")
			if strings.TrimSuffix(r.unpacked(t), "end") != want || r.Header.Get("Content-Encoding") != c.coding {
				t.Errorf("%s, %s, HTTP/1.0: got %+v", proto, c.what, r.Header)
			}
		}
	}
}

// A client that has the answer in a form of ours is told so, whatever the app makes of the
// weak tag.
func TestWeakTagsGiveNotModified(t *testing.T) {
	t.Parallel()
	s := packs(t, 16<<20, start(t, protocol.ProtocolHTTP, 0, func(k *call) bool {
		if k.header("If-None-Match") == `"a"` {
			k.reply("HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n")
			return true
		}
		k.reply("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nETag: \"a\"\r\nX-A: b\r\nContent-Length: %d\r\n\r\n%s", len(page4K), page4K)
		return true
	}))
	p := s.dial()
	for _, c := range []struct {
		match, want string
	}{
		{`W/"a"`, `304 W/"a"`}, {`"b", W/"a"`, `304 W/"a"`}, {`"a"`, `304 "a"`}, {`"b"`, `200 W/"a"`}, {`W/"b"`, `200 W/"a"`}, {"*", `200 W/"a"`},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			body := "\r\n"
			r := p.send(method + " / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nIf-None-Match: " + c.match + "\r\n" + body).receive(method)
			if method == "HEAD" && r.Status == 200 {
				p = s.dial() // the app of this test sends a body
				continue
			}
			if got := fmt.Sprint(r.Status, " ", r.Header.Get("Etag")); got != c.want {
				t.Errorf("%s %s: got %q, want %q", method, c.match, got, c.want)
			}
		}
	}
}

// What the app has sent so far comes out when it pauses.
func TestStreamsAreFlushed(t *testing.T) {
	t.Parallel()
	for _, coding := range []string{"gzip", "br", "zstd"} {
		g := newGate()
		s := packs(t, 16<<20, start(t, protocol.ProtocolHTTP, 0, func(k *call) bool {
			k.reply("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
			<-g.pass
			k.reply("4\r\nlast\r\n0\r\n\r\n")
			return true
		}))
		p := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: " + coding + "\r\n\r\n")
		if err := p.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(p.in, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, body := answer.Header, answer.Body
		var in io.Reader
		switch r.Get("Content-Encoding") {
		case "gzip":
			in, err = gzip.NewReader(body)
		case "br":
			in = brotli.NewReader(body)
		case "zstd":
			in, err = zstd.NewReader(body, zstd.WithDecoderConcurrency(1))
		}
		first := make([]byte, 5)
		if err == nil {
			_, err = io.ReadFull(in, first)
		}
		if err != nil || string(first) != "first" {
			t.Errorf("%s: got %q, %v", coding, first, err)
		}
		g.open()
		if rest, err := io.ReadAll(in); string(rest) != "last" {
			t.Errorf("%s: then got %q, %v", coding, rest, err)
		}
	}
}

// Without memory for an encoder an answer goes out as it is, and says that it varies.
func TestWithoutMemoryAnswersGoOutPlain(t *testing.T) {
	t.Parallel()
	s := packs(t, 0, start(t, protocol.ProtocolSession, 0, func(k *call) bool {
		k.reply("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nETag: \"a\"\r\nContent-Length: %d\r\n\r\n%s", len(page4K), page4K)
		return true
	}))
	r := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n").receive("GET")
	if r.Body != page4K || r.Header.Get("Vary") != "Accept-Encoding" || r.Header.Get("Etag") != `"a"` || r.Header.Get("Content-Encoding") != "" {
		t.Errorf("got %+v", r.Header)
	}
	s.wantMetrics(map[string]string{"uncompressed_total": "1", "compression_memory_bytes": "0"})
}

// Clients that read slowly hold no encoder.
func TestSlowReadersHoldNoEncoder(t *testing.T) {
	t.Parallel()
	random := make([]byte, 0, 8<<20)
	for x := uint32(1); len(random) < cap(random); {
		x = x*1664525 + 1013904223
		random = append(random, byte(x>>24), byte(x>>16))
	}
	s := packs(t, 1<<20, start(t, protocol.ProtocolSession, 0, func(k *call) bool {
		k.reply("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n", len(random))
		_, _ = k.Conn.Write(random)
		return true
	}))
	for range 20 {
		p := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
		if r, err := http.ReadResponse(p.in, nil); err != nil || r.Header.Get("Content-Encoding") != "gzip" {
			t.Fatalf("got %+v, %v: another holds the only encoder", r, err)
		}
		eventually(t, "the encoder is free", s.idleEncoder)
	}
}

func (s *server) idleEncoder() bool {
	e := s.encoders.Take(compress.Gzip, false)
	e.Free()
	return e != nil
}

// The cache keeps what the app made, and each form of it.
func TestKeptAnswersAreCompressed(t *testing.T) {
	t.Parallel()
	for _, chunked := range []bool{false, true} {
		calls := 0
		r := route(start(t, protocol.ProtocolHTTP, 0, func(k *call) bool {
			calls++
			const head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: max-age=600\r\nETag: \"a\"\r\n"
			if chunked {
				k.reply(head+"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(page4K), page4K)
			} else {
				k.reply(head+"Content-Length: %d\r\n\r\n%s", len(page4K), page4K)
			}
			return true
		}))
		r.Compression, r.Turbocaching = true, true
		p := serve(t, Config{CompressionMemory: 16 << 20}, r).dial()
		for _, c := range []struct{ accept, match, want string }{
			{"gzip", "", `200 gzip W/"a"`}, {"gzip", "", `200 gzip W/"a"`}, {"br", "", `200 br W/"a"`}, {"identity", "", `200  "a"`}, {"zstd", "", `200 zstd W/"a"`},
			{"gzip", "", `200 gzip W/"a"`}, {"gzip", `W/"a"`, `304  W/"a"`}, {"identity", `"a"`, `304  "a"`}, {"identity", `W/"a"`, `304  W/"a"`}, {"gzip", `"b"`, `200 gzip W/"a"`},
		} {
			fields := ""
			if c.match != "" {
				fields = "If-None-Match: " + c.match + "\r\n"
			}
			for _, method := range []string{"GET", "HEAD"} {
				got := p.send(method + " / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: " + c.accept + "\r\n" + fields + "\r\n").receive(method)
				if text := fmt.Sprint(got.Status, " ", got.Header.Get("Content-Encoding"), " ", got.Header.Get("Etag")); text != c.want || got.Header.Get("Vary") != "Accept-Encoding" {
					t.Errorf("%s %v: got %q of %+v", method, c, text, got.Header)
				}
				if method == "GET" && got.Status == 200 && got.unpacked(t) != page4K {
					t.Errorf("%v: got %d bytes", c, len(got.unpacked(t)))
				}
			}
		}
		if calls != 1 {
			t.Errorf("the app was asked %d times", calls)
		}
	}
}

// What is off, or does not apply, costs nothing.
func TestPlainAnswersAllocateNothing(t *testing.T) {
	if racing {
		t.Skip("the race detector makes sync.Pool forget")
	}
	r := route(instant(t, protocol.ProtocolHTTP))
	r.Compression = true
	trip := newRoundTrip(t, serve(t, Config{CompressionMemory: 16 << 20}, r))
	trip.request = []byte(strings.Replace(benchRequest, "Accept: */*\r\n", "Accept: */*\r\nAccept-Encoding: gzip, br\r\n", 1))
	if n := testing.AllocsPerRun(2000, func() { trip.do(t) }); n > 0 {
		t.Errorf("got %v allocations per request, want 0", n)
	}
}
