package proxy

import (
	"bytes"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/proxy/static"
	"passenger/lib/proxy/wire"
)

// Each form of a file has a tag of its own, and conditions are about the form
// that the client takes.
func TestCompressedTwinsAreFilesOfTheirOwn(t *testing.T) {
	t.Parallel()
	s, _ := withFiles(t, map[string]string{"a.js": "plain!", "a.js.br": "brotli", "a.js.gz": "gzip!!", "a.png": "png", "a.png.gz": "gz"})
	p := s.dial()
	get := func(path, fields string) reply {
		return p.send("GET " + path + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n").receive("GET")
	}
	tags := map[string]string{}
	for accept, want := range map[string]string{"": "plain!", "Accept-Encoding: gzip\r\n": "gzip!!", "Accept-Encoding: br;q=1.0, gzip\r\n": "brotli"} {
		r := get("/a.js", accept)
		tag := r.Header.Get("Etag")
		if r.Body != want || tag == "" || tags[tag] != "" || r.Header.Get("Vary") != "Accept-Encoding" || r.Header.Get("Content-Type") != "text/javascript; charset=utf-8" {
			t.Errorf("%q: got %+v, want %q and a tag of its own, %v", accept, r, want, tags)
		}
		tags[tag] = want
		for fields, status := range map[string]int{
			"If-None-Match: " + tag: 304, "If-None-Match: W/" + tag: 304, "If-None-Match: \"x\", " + tag: 304, "If-None-Match: *": 304,
			"If-None-Match: \"x\"": 200, "If-None-Match: \"x\"\r\nIf-None-Match: " + tag: 304,
			"If-Match: " + tag: 200, "If-Match: W/" + tag: 412, "Range: bytes=1-2": 206, "Range: bytes=1-2\r\nIf-Range: " + tag: 206,
			"Range: bytes=1-2\r\nIf-Range: W/" + tag: 200, "If-Range: " + tag: 200, "Range: bytes=9-": 416, "Range: bytes=x": 416, "Range: bytes=-0": 416, "Range: bytes= -00 ,1-2": 206, "Range: x": 200, "Range: lines=1-2": 200, "Range: BYTES=1-2": 206,
		} {
			r := get("/a.js", accept+fields+"\r\n")
			body := want
			switch status {
			case 206:
				body = want[1:3]
			case 304, 412, 416:
				body = ""
			}
			if r.Status != status || r.Body != body || status != 412 && status != 416 && r.Header.Get("Etag") != tag {
				t.Errorf("%q, %q: got %d %q %v, want %d %q", accept, fields, r.Status, r.Body, r.Header, status, body)
			}
		}
		if r := get("/a.js", accept+"Range: bytes=0-0, 2-3\r\n"); r.Status != 206 || !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/byteranges") ||
			!strings.Contains(r.Body, want[2:4]) || !strings.Contains(r.Body, "Content-Range: bytes 2-3/6") {
			t.Errorf("%q, two parts: got %+v", accept, r)
		}
	}
	if r := get("/a.png", "Accept-Encoding: gzip\r\n"); r.Body != "png" || r.Header.Get("Vary") != "" {
		t.Errorf("an image: got %+v", r)
	}
	// A tag of one form is none of another.
	for tag := range tags {
		if r := get("/a.js", "If-None-Match: "+tag+"\r\n"); (r.Status == 304) != (tags[tag] == "plain!") {
			t.Errorf("the tag of %s: got %d", tags[tag], r.Status)
		}
	}
}

func TestOlderTwinsAreNotServed(t *testing.T) {
	t.Parallel()
	s, dir := withFiles(t, map[string]string{"a.js": "plain", "a.js.gz": "gzip"})
	old := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "public", "a.js.gz"), old, old); err != nil {
		t.Fatal(err)
	}
	if r := s.dial().send("GET /a.js HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n").receive("GET"); r.Body != "plain" {
		t.Errorf("got %+v", r)
	}
}

// Files of every size come whole, however they are sent.
func TestFilesOfAllSizes(t *testing.T) {
	t.Parallel()
	dir, names := t.TempDir(), map[string][]byte{}
	for _, size := range []int{0, 1, wire.Small, wire.Medium - 300, wire.Medium, static.MaxCopied - 1, static.MaxCopied, static.MaxCopied + 1, wire.Large, 3*wire.Large + 7} {
		name := strconv.Itoa(size) + ".bin"
		names[name] = bytes.Repeat([]byte("0123456789"), size/10+1)[:size]
		if err := os.WriteFile(filepath.Join(dir, name), names[name], 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r := route(start(t, protocol.ProtocolSession, 0, say("app")))
	r.StaticDir = dir
	s, addr := serveTLS(t, Config{}, r)
	p := s.dial()
	for name, want := range names {
		if r := p.get("/" + name); r.Body != string(want) || r.Status != 200 {
			t.Errorf("%s: got %d, %d bytes, want %d", name, r.Status, len(r.Body), len(want))
		}
		if r := p.send("HEAD /" + name + " HTTP/1.1\r\nHost: a\r\n\r\n").receive("HEAD"); r.Status != 200 {
			t.Errorf("%s: HEAD got %+v", name, r)
		}
		over(t, addr, sameBody("https://"+addr+"/"+name, string(want)))
	}
}

// A change is seen by the next request.
func TestChangedFilesAreServedAnew(t *testing.T) {
	t.Parallel()
	s, dir := withFiles(t, map[string]string{"a.txt": "one"})
	p, path := s.dial(), filepath.Join(dir, "public", "a.txt")
	first := p.get("/a.txt")
	if err := os.WriteFile(path+"~", []byte("two"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+"~", path); err != nil {
		t.Fatal(err)
	}
	r := p.send("GET /a.txt HTTP/1.1\r\nHost: a\r\nIf-None-Match: " + first.Header.Get("Etag") + "\r\n\r\n").receive("GET")
	if r.Status != 200 || r.Body != "two" {
		t.Errorf("got %+v", r)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if r := p.get("/a.txt"); r.Body != "app" {
		t.Errorf("got %+v", r)
	}
}

// A name is never the way out, and what it is does not depend on who decodes.
func FuzzFileName(f *testing.F) {
	for _, way := range []string{"/a.txt", "/sub/b%20c.css", "/.well-known/x.txt", "/a/.well-known/x", "/%2e%2e/a", "/..%2fa.b", "/a%00.b", "/%", "/%4", "/%zz", "//a.b", "/a.b/", `/\..\a.b`, ""} {
		f.Add(way)
	}
	f.Fuzz(func(t *testing.T, path string) {
		got, ok := static.AppendFileName(nil, []byte(path))
		raw, inside := strings.TrimPrefix(path, "/"), ""
		if cut, found := strings.CutSuffix(raw, "/"); found {
			raw, inside = cut, "/index.html"
		}
		want, err := url.PathUnescape(raw)
		fine := err == nil && !strings.ContainsAny(want, "\x00\\") && len(strings.TrimPrefix(path, "/")) <= static.MaxFileName
		for i, element := range strings.Split(want, "/") {
			if element == "" || element[0] == '.' && !(i == 0 && element == ".well-known") {
				fine = false
			}
		}
		if want += inside; strings.TrimPrefix(path, "/") == "" {
			want, fine = "index.html", true
		}
		if ok != fine || ok && string(got) != want {
			t.Fatalf("%q: got %q, %v, want %q, %v", path, got, ok, want, fine)
		}
		if ok && !filepath.IsLocal(string(got)) {
			t.Fatalf("%q: %q leads out", path, got)
		}
	})
}
