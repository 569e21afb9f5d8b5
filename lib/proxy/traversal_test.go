package proxy

import (
	"path/filepath"
	"strings"
	"testing"

	"passenger/lib/protocol"
)

// What scanners of path traversal put together, each with each: ways to write
// "..", ways to write a slash, and what is before and behind.
var (
	traversalDots = []string{"..", "%2e%2e", "%2E.", ".%2e", "%252e%252e", "%c0%ae%c0%ae", "%e0%80%ae.", "%uff0e%uff0e", "....", "..;", "..;a=b", "..%00", "..%20", "..%09", ". ."}
	traversalCuts = []string{"/", "%2f", "%2F", `\`, "%5c", "%252f", "%255c", "%c0%af", "%e0%80%af", "%ef%bc%8f", "%u2215", "//", "/./", ";/", "%2f%2f", "/%2e/", "%00/"}
	traversalHead = []string{"/", "/sub/", "/a.txt/", "//", "/%2f", "/.well-known/", "/sub/deep/", "/mount/"}
	traversalTail = []string{"", "?.css", "%00.css", "/", "%20", "."}
)

// No way leads out of the static files, nor the files that answers name.
func TestPathsDoNotLeadOut(t *testing.T) {
	t.Parallel()
	const secret = "the secret"
	names := map[string]string{"a/b/public/a.txt": "own", "a/b/public/sub/deep/a.txt": "own", "a/b/public/.well-known/a.txt": "own"}
	for _, dir := range []string{"", "a/", "a/b/", "a/b/public/.hidden/"} {
		names[dir+"secret.txt"], names[dir+"secret"], names[dir+"secret.html"], names[dir+"etc/secret.txt"] = secret, secret, secret, secret
	}
	public := filepath.Join(writeFiles(t, names), "a/b/public")
	f := start(t, protocol.ProtocolSession, 0, func(c *call) bool {
		if c.header("X-Name") == "" {
			c.ok("app")
			return true
		}
		c.reply("HTTP/1.1 200 OK\r\nX-Accel-Redirect: %s\r\nContent-Length: 0\r\n\r\n", c.header("X-Name"))
		return true
	})
	f.route.AppRoot = filepath.Dir(public)
	r := route(f)
	r.StaticDir, r.AccelLocations = public, map[string]string{"/": public}
	r.StaticMounts = map[string]string{"/mount/": "public/sub"}
	s := serve(t, Config{}, r)
	p, tried := s.dial(), 0
	ask := func(request, path string) {
		tried++
		got := p.send(request).receive("GET")
		if strings.Contains(got.Body, secret) || got.Status >= 500 {
			t.Errorf("%q: got %d, %q", path, got.Status, got.Body)
		}
		if got.Close {
			p.Close()
			p = s.dial()
		}
	}
	for _, head := range traversalHead {
		for _, dots := range traversalDots {
			for _, cut := range traversalCuts {
				for depth := 1; depth <= 4; depth++ {
					way := strings.Repeat(dots+cut, depth)
					for i, tail := range traversalTail {
						path := head + way + [...]string{"secret.txt", "secret", "etc" + cut + "secret.txt"}[(i+depth)%3] + tail
						ask("GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n", path)
						if i == 0 {
							ask("GET / HTTP/1.1\r\nHost: a\r\nX-Name: "+path+"\r\n\r\n", "X-Accel-Redirect: "+path)
						}
					}
				}
			}
		}
	}
	if got := s.dial().get("/a.txt"); got.Body != "own" || tried < 50_000 {
		t.Errorf("got %+v after %d ways", got, tried)
	}
}
