package packing

import (
	"testing"

	"passenger/lib/compress"
	"passenger/lib/http1"
)

func TestPlans(t *testing.T) {
	t.Parallel()
	const html = "Content-Type: text/html\r\nContent-Length: 5000\r\n"
	for _, c := range []struct {
		method, request, status, answer string
		coding                          compress.Coding
		want                            string // what is appended
		notModified                     bool
	}{
		{"GET", "Accept-Encoding: gzip", "200", html, compress.Gzip, "Vary: Accept-Encoding\r\nContent-Encoding: gzip\r\n", false},
		{"HEAD", "Accept-Encoding: gzip", "200", html, compress.Gzip, "Vary: Accept-Encoding\r\nContent-Encoding: gzip\r\n", false},
		{"POST", "Accept-Encoding: gzip", "201", html, compress.Gzip, "Vary: Accept-Encoding\r\nContent-Encoding: gzip\r\n", false},
		{"GET", "Range: bytes=0-9\r\nAccept-Encoding: gzip", "200", html, compress.Plain, "Vary: Accept-Encoding\r\n", false},
		{"GET", "Cache-Control: no-transform\r\nAccept-Encoding: gzip", "200", html, compress.Plain, "Vary: Accept-Encoding\r\n", false},
		{"GET", "Accept-Encoding: gzip", "302", html, compress.Plain, "", false},
		{"GET", "Accept-Encoding: gzip", "204", "", compress.Plain, "", false},
		{"GET", "Accept-Encoding: gzip", "200", "Content-Type: text/html\r\n", compress.Plain, "", false}, // until the connection ends
		{"GET", "Accept-Encoding: gzip", "200", "Content-Type: text/html\r\nContent-Length: 1023\r\n", compress.Plain, "", false},
		{"GET", "If-None-Match: W/\"a\"\r\nAccept-Encoding: gzip", "200", html + "ETag: \"a\"\r\n", compress.Gzip, "Vary: Accept-Encoding\r\nETag: W/\"a\"\r\n", true},
		{"GET", "If-None-Match: W/\"a\"", "304", "ETag: \"a\"\r\n", compress.Plain, "Vary: Accept-Encoding\r\nETag: W/\"a\"\r\n", true},
		{"POST", "If-None-Match: W/\"a\"", "200", html + "ETag: \"a\"\r\n", compress.Plain, "Vary: Accept-Encoding\r\n", false},
		{"GET", "If-None-Match: \"a\"", "304", "ETag: \"a\"\r\n", compress.Plain, "", false},
		{"GET", "If-None-Match: W/a\r\nAccept-Encoding: gzip", "200", html + "ETag: a\r\n", compress.Gzip, "Vary: Accept-Encoding\r\nETag: W/a\r\n", true},
		{"GET", "If-None-Match: W/\"\"\r\nAccept-Encoding: gzip", "200", html + "ETag: \"\"\r\n", compress.Gzip, "Vary: Accept-Encoding\r\nETag: W/\"\"\r\n", true},
		{"GET", "If-None-Match: W/\"a\"", "500", html + "ETag: \"a\"\r\n", compress.Plain, "Vary: Accept-Encoding\r\n", false},
	} {
		var q http1.Request
		var r http1.Response
		q.Reset()
		r.Reset()
		if _, err := q.Parse([]byte(c.method + " / HTTP/1.1\r\nHost: a\r\n" + c.request + "\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Parse([]byte("HTTP/1.1 " + c.status + " X\r\n" + c.answer + "\r\n")); err != nil {
			t.Fatal(err)
		}
		p, got := Decide(&q, &r, r.Body(c.method == "HEAD")), ""
		if p.Varies {
			got = string(p.Append(nil))
		}
		if p.Coding != c.coding || got != c.want || c.status == "200" && p.NotModified != c.notModified {
			t.Errorf("%s %q, %s %q: got %+v, %q", c.method, c.request, c.status, c.answer, p, got)
		}
		if drops := p.Drops([]byte("ETAG")); drops != (len(got) > 0 && c.notModified) {
			t.Errorf("%s %q, %s %q: the tag is dropped: %v", c.method, c.request, c.status, c.answer, drops)
		}
	}
}

func TestWhichTypesGetShorter(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]bool{
		"text/html": true, "TEXT/HTML; charset=utf-8": true, "text/css ;a": true, "text/event-stream": false, "text/event-stream;charset=utf-8": false, "text/": false,
		"application/json": true, "application/vnd.api+json": true, "image/svg+xml": true, "application/wasm": true, "application/javascript": true,
		"image/png": false, "video/mp4": false, "application/zip": false, "application/octet-stream": false, "font/woff2": false, "": false, ";": false, "+json": false,
	} {
		if got := Compressible([]byte(kind)); got != want {
			t.Errorf("%q: got %v", kind, got)
		}
	}
}
