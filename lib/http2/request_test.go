package http2

import (
	"strings"
	"testing"

	h2 "golang.org/x/net/http2"
)

func TestHeadsBecomeHTTP1(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fields []string
		want   string
	}{
		"plain":          {plain, "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"},
		"host":           {[]string{":method: GET", ":scheme: https", ":path: /a?b", "host: b.test"}, "GET /a?b HTTP/1.1\r\nHost: b.test\r\nConnection: close\r\n\r\n"},
		"both agree":     {append(plain[:4:4], "host: a.test"), "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"},
		"star":           {[]string{":method: OPTIONS", ":scheme: http", ":path: *", ":authority: a"}, "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"},
		"crumbs":         {append(plain[:4:4], "cookie: a=b", "x: y", "cookie: c=d"), "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\nCookie: a=b; c=d\r\nx: y\r\n\r\n"},
		"te":             {append(plain[:4:4], "te: trailers", "x: y"), "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\nx: y\r\n\r\n"},
		"empty post":     {[]string{":method: POST", ":scheme: http", ":path: /", ":authority: a"}, "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"},
		"a plain tunnel": {[]string{":method: CONNECT", ":authority: a:1"}, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nConnection: close\r\n\r\n"},
		"another tunnel": {[]string{":method: CONNECT", ":protocol: x", ":scheme: http", ":path: /", ":authority: a:1"}, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nConnection: close\r\n\r\n"},
	} {
		seen := make(chan string, 1)
		p := start(t, answering(seen, ok))
		p.headers(1, true, test.fields...)
		if got := <-seen; got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestMalformedHeadsAreRefused(t *testing.T) {
	t.Parallel()
	with := func(fields ...string) []string { return append(plain[:4:4], fields...) }
	for name, fields := range map[string][]string{
		"no method":            plain[1:],
		"no scheme":            {plain[0], plain[2], plain[3]},
		"no path":              {plain[0], plain[1], plain[3]},
		"empty path":           {plain[0], plain[1], ":path: ", plain[3]},
		"path twice":           with(":path: /"),
		"relative path":        {plain[0], plain[1], ":path: a", plain[3]},
		"star for GET":         {plain[0], plain[1], ":path: *", plain[3]},
		"split path":           {plain[0], plain[1], ":path: / HTTP/1.1\r\nx: y", plain[3]},
		"split method":         {":method: GET / HTTP/1.1\r\nx:", plain[1], plain[2], plain[3]},
		"split authority":      {plain[0], plain[1], plain[2], ":authority: a\r\nx: y"},
		"other scheme":         {plain[0], ":scheme: ftp", plain[2], plain[3]},
		"unknown pseudo":       with(":x: y"),
		"a response's pseudo":  with(":status: 200"),
		"late pseudo":          {plain[0], plain[1], "x: y", plain[2], plain[3]},
		"upper case":           with("X: y"),
		"name with a blank":    with("x y: z"),
		"split name":           with("x\r\ny: z"),
		"split value":          with("x: y\r\nz: a"),
		"value with a null":    with("x: \x00"),
		"value after a blank":  with("x:  y"),
		"value before a blank": with("x: y "),
		"connection":           with("connection: x"),
		"keep-alive":           with("keep-alive: x"),
		"proxy-connection":     with("proxy-connection: x"),
		"transfer-encoding":    with("transfer-encoding: chunked"),
		"upgrade":              with("upgrade: x"),
		"te":                   with("te: gzip"),
		"another host":         with("host: b.test"),
		"two hosts":            with("host: a.test", "host: a.test"),
		"two lengths":          with("content-length: 0", "content-length: 0"),
		"signed length":        with("content-length: +0"),
		"length as in octal":   with("content-length: 00"),
		"length without body":  with("content-length: 3"),
		"protocol for GET":     with(":protocol: websocket"),
		"tunnel with a path":   {":method: CONNECT", ":authority: a", ":path: /"},
		"half a WebSocket":     {":method: CONNECT", ":protocol: websocket", ":authority: a", ":path: /"},
	} {
		seen := make(chan string, 1)
		p := start(t, answering(seen, ok))
		p.headers(1, true, fields...)
		p.get(3)
		if got, want := p.next(), "RST_STREAM(1 PROTOCOL_ERROR)"; got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
		if got := <-seen; got != "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n" {
			t.Errorf("%s: %q came through", name, got)
		}
	}
}

func TestTooLongHeadsAreLeftToTheReader(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"one field": 60 << 10, "many": 4000} {
		read := make(chan int, 1)
		c := quick
		c.Serve = func(s *Stream) {
			n, b := 0, make([]byte, 4096)
			for n <= maxHead {
				m, err := s.Read(b)
				if err != nil {
					t.Error(err)
					break
				}
				n += m
			}
			read <- n
			_, _ = s.Write([]byte("HTTP/1.1 431 No\r\n\r\n"))
		}
		p := start(t, c)
		fields := plain[:4:4]
		for range 120 << 10 / size {
			fields = append(fields, "cookie: "+strings.Repeat("c", size))
		}
		block := p.encode(fields...)
		first := min(len(block)/2, maxFrame)
		p.must(p.WriteHeaders(h2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:first], EndStream: true}))
		for block = block[first:]; len(block) > maxFrame; block = block[maxFrame:] {
			p.must(p.WriteContinuation(1, false, block[:maxFrame]))
		}
		p.must(p.WriteContinuation(1, true, block))
		p.expect("HEADERS(1 :status=431) DATA(1  end)")
		if n := <-read; n > 3*maxHead {
			t.Errorf("%s: %d bytes were held", name, n)
		}
	}
}

func TestBodiesBecomeHTTP1(t *testing.T) {
	t.Parallel()
	post := func(more ...string) []string {
		return append([]string{":method: POST", ":scheme: http", ":path: /", ":authority: a"}, more...)
	}
	const head = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
	for name, test := range map[string]struct {
		fields []string
		send   func(p *peer)
		want   string // of what is read
		code   string // of the stream's error
	}{
		"sized":   {post("content-length: 5"), func(p *peer) { p.WriteData(1, false, []byte("he")); p.WriteData(1, true, []byte("llo")) }, head + "Content-Length: 5\r\n\r\nhello", ""},
		"padded":  {post("content-length: 2"), func(p *peer) { p.WriteDataPadded(1, true, []byte("he"), make([]byte, 99)) }, head + "Content-Length: 2\r\n\r\nhe", ""},
		"chunked": {post(), func(p *peer) { p.WriteData(1, true, []byte("hello")) }, head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", ""},
		"trailer": {post(), func(p *peer) { p.WriteData(1, false, []byte("hello")); p.headers(1, true, "x-sum: 7") },
			head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 7\r\n\r\n", ""},
		"too long":           {post("content-length: 2"), func(p *peer) { p.WriteData(1, true, []byte("hello")) }, "", "PROTOCOL_ERROR"},
		"too short":          {post("content-length: 9"), func(p *peer) { p.WriteData(1, true, []byte("hello")) }, "", "PROTOCOL_ERROR"},
		"trailer too early":  {post("content-length: 9"), func(p *peer) { p.headers(1, true, "x: y") }, "", "PROTOCOL_ERROR"},
		"unfinished trailer": {post(), func(p *peer) { p.headers(1, false, "x: y") }, "", "PROTOCOL_ERROR"},
		"pseudo in trailer":  {post(), func(p *peer) { p.headers(1, true, ":path: /") }, "", "PROTOCOL_ERROR"},
		"length in trailer":  {post(), func(p *peer) { p.headers(1, true, "content-length: 0") }, "", "PROTOCOL_ERROR"},
	} {
		seen := make(chan string, 1)
		p := start(t, answering(seen, ok))
		p.headers(1, false, test.fields...)
		test.send(p)
		got := <-seen
		if test.code == "" && got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
		if test.code != "" {
			if f := p.until("RST_STREAM"); f != "RST_STREAM(1 "+test.code+")" || !strings.Contains(got, "error") {
				t.Errorf("%s: got %s, and read %q", name, f, got)
			}
		}
	}
}
