package proxy

import (
	"bufio"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/proxy/static"
)

// withFiles serves an app that says "app", with files before it.
func withFiles(t *testing.T, names map[string]string) (*server, string) {
	t.Helper()
	below := map[string]string{}
	for name, content := range names {
		below["public/"+name] = content
	}
	dir := writeFiles(t, below)
	public := filepath.Join(dir, "public")
	r := route(start(t, protocol.ProtocolSession, 0, say("app")))
	r.StaticDir = public
	return serve(t, Config{}, r), dir
}

func TestStaticFiles(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("0123456789", 300<<10)
	s, dir := withFiles(t, map[string]string{
		"a.txt": "text", "sub/b c.css": "css", "big.bin": big, "empty.txt": "", "app-0123456789abcdef.js": "js", "of-20261123.txt": "dated",
		"packed.js": "plain", "packed.js.br": "brotli", "packed.js.gz": "gzip", ".env": "secret", ".well-known/x.txt": "known",
		"noext": "file", "index.html": "home",
	})
	for link, to := range map[string]string{"out.txt": "../secret.txt", "in.txt": "a.txt", "up": ".."} {
		if err := os.Symlink(to, filepath.Join(dir, "public", link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "secret.txt"), []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "public", "fifo.txt"), 0o644); err != nil {
		t.Fatal(err)
	}
	if l, err := net.Listen("unix", filepath.Join(dir, "public", "socket.txt")); err != nil {
		t.Fatal(err)
	} else {
		defer l.Close()
	}
	const null = 1<<8 | 3 // its device number
	if err := syscall.Mknod(filepath.Join(dir, "public", "device.txt"), syscall.S_IFCHR|0o666, null); err != nil && os.Getuid() == 0 {
		t.Fatal(err)
	}
	p := s.dial()
	for path, want := range map[string]string{
		"/a.txt": "text", "/a.txt?v=1": "text", "/sub/b%20c.css": "css", "/big.bin": big, "/empty.txt": "", "/in.txt": "text",
		"/.well-known/x.txt": "known", "/index.html": "home", "/": "home", "/noext": "file",
		// These are the app's.
		"/sub": "app", "/sub/": "app", "/none.txt": "app", "/.env": "app", "/out.txt": "app", "/fifo.txt": "app", "/socket.txt": "app", "/device.txt": "app", "/fifo": "app",
		"/up/secret.txt": "app", "/../secret.txt": "app", "/%2e%2e/secret.txt": "app", "/..%2fsecret.txt": "app",
		"/sub/..%5c..%5csecret.txt": "app", "/%252e%252e/secret.txt": "app", "//a.txt": "app", "/sub/./../a.txt": "app", "/a.txt%00.css": "app",
		"/a.txt/": "app", "/sub//b%20c.css": "app",
	} {
		if r := p.get(path); r.Status != 200 || r.Body != want {
			t.Errorf("%s: got %d, %.40q, want %.40q", path, r.Status, r.Body, want)
		}
	}
	if r := p.get("/app-0123456789abcdef.js"); !strings.Contains(r.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("a fingerprinted name: got %v", r.Header)
	}
	if r := p.get("/of-20261123.txt"); r.Header.Get("Cache-Control") != "" {
		t.Errorf("a date in a name: got %v", r.Header)
	}
	if r := p.get("/a.txt"); r.Header.Get("Content-Type") != "text/plain; charset=utf-8" || r.Header.Get("Cache-Control") != "" {
		t.Errorf("got %v", r.Header)
	}
	for accept, want := range map[string]string{"gzip, br": "brotli", "gzip": "gzip", "br;q=0, gzip;q=0.5": "gzip", "identity": "plain"} {
		r := p.send("GET /packed.js HTTP/1.1\r\nHost: a\r\nAccept-Encoding: " + accept + "\r\n\r\n").receive("GET")
		if r.Body != want || !strings.Contains(r.Header.Get("Content-Type"), "javascript") {
			t.Errorf("%s: got %q as %q", accept, r.Body, r.Header.Get("Content-Type"))
		}
	}
	if r := p.send("HEAD /a.txt HTTP/1.1\r\nHost: a\r\n\r\n").receive("HEAD"); r.Header.Get("Content-Length") != "4" {
		t.Errorf("HEAD: got %+v", r)
	}
	if r := p.send("POST /a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").receive("POST"); r.Body != "app" {
		t.Errorf("POST: got %+v", r)
	}
}

func TestStaticFilesInPartAndOnCondition(t *testing.T) {
	t.Parallel()
	s, _ := withFiles(t, map[string]string{"a.txt": "0123456789"})
	p := s.dial()
	whole := p.get("/a.txt")
	get := func(header string) reply {
		return p.send("GET /a.txt HTTP/1.1\r\nHost: a\r\n" + header + "\r\n\r\n").receive("GET")
	}
	for header, want := range map[string]struct {
		status int
		body   string
	}{
		"Range: bytes=2-4": {206, "234"},
		"Range: bytes=-3":  {206, "789"},
		"If-None-Match: " + whole.Header.Get("Etag"):                                {304, ""},
		"If-Modified-Since: " + whole.Header.Get("Last-Modified"):                   {304, ""},
		"If-None-Match: \"other\"":                                                  {200, "0123456789"},
		"If-Match: \"other\"":                                                       {412, ""},
		"If-Range: \"other\"\r\nRange: bytes=2-4":                                   {200, "0123456789"},
		"If-Modified-Since: " + time.Unix(1, 0).UTC().Format(time.RFC1123) + "\r\n": {200, "0123456789"},
	} {
		if want.status == 200 && strings.HasSuffix(header, "\r\n") {
			header = strings.TrimSuffix(header, "\r\n")
		}
		if r := get(header); r.Status != want.status || r.Body != want.body {
			t.Errorf("%s: got %d, %q, want %d, %q", header, r.Status, r.Body, want.status, want.body)
		}
	}
	// RFC 9110, 14.2: a range is for GET.
	if r := p.send("HEAD /a.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=2-4\r\n\r\n").receive("HEAD"); r.Status != 200 || r.Header.Get("Content-Length") != "10" {
		t.Errorf("HEAD of a part: got %+v", r)
	}
	if r := p.send("HEAD /a.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=2-4\r\nIf-Match: \"x\"\r\n\r\n").receive("HEAD"); r.Status != 412 {
		t.Errorf("HEAD on condition: got %+v", r)
	}
	// All fields of a list count, whoever answers.
	for _, fields := range []string{"If-None-Match: \"x\"\r\nIf-None-Match: " + whole.Header.Get("Etag"), "If-None-Match: \"x\"\r\nIf-None-Match: " + whole.Header.Get("Etag") + "\r\nRange: bytes=2-4"} {
		if r := get(fields); r.Status != 304 {
			t.Errorf("%s: got %d", fields, r.Status)
		}
	}
	for n, status := range map[int]int{2: 206, static.MaxRanges: 206, static.MaxRanges + 1: 200, 1000: 200} {
		if r := get("Range: bytes=" + strings.Repeat("1-1,", n-1) + "1-1"); n <= 10 && r.Status != status || n > static.MaxRanges && r.Status != 200 {
			t.Errorf("%d parts: got %d, want %d", n, r.Status, status)
		}
	}
	if r := s.dial().send("GET /a.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=20-\r\n\r\n").receive("GET"); r.Status != 416 {
		t.Errorf("got %+v, want 416", r)
	}
}

func TestStaticFilesOverHTTP2(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("x", 1<<20)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "big.bin"), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	r := route(start(t, protocol.ProtocolHTTP, 0, say("app")))
	r.StaticDir = dir
	_, addr := serveTLS(t, Config{}, r)
	over(t, addr, sameBody("https://"+addr+"/big.bin", content))
}

// newStaticTrip is a client that asks for a file of 10 kB.
func newStaticTrip(t testing.TB) *roundTrip {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "page.html"), make([]byte, 10<<10), 0o644); err != nil {
		t.Fatal(err)
	}
	r := route(start(t, protocol.ProtocolHTTP, 0, say("app")))
	r.StaticDir = dir
	s := serve(t, Config{}, r)
	trip := &roundTrip{c: s.dial().Conn, b: make([]byte, 16<<10), request: []byte("GET /page.html HTTP/1.1\r\nHost: www.example.com\r\n\r\n")}
	if _, err := trip.c.Write(trip.request); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(trip.c)
	for line := ""; line != "\r\n"; trip.size += len(line) {
		var err error
		if line, err = in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	trip.size += 10 << 10
	if _, err := in.Discard(10 << 10); err != nil {
		t.Fatal(err)
	}
	return trip
}

func TestStaticFilesAllocateNothing(t *testing.T) {
	if racing {
		t.Skip("the race detector makes sync.Pool forget")
	}
	trip := newStaticTrip(t)
	if n := testing.AllocsPerRun(2000, func() { trip.do(t) }); n > 0 {
		t.Errorf("got %v allocations per file, want 0", n)
	}
}

func BenchmarkStatic(b *testing.B) {
	trip := newStaticTrip(b)
	b.ReportAllocs()
	for b.Loop() {
		trip.do(b)
	}
}
