package proxy

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"passenger/lib/protocol"
)

// Where no file is sent for it, a path is nothing that a client should learn.
func TestOnlyWebServersLearnOfFiles(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		for _, field := range []string{"X-Sendfile", "x-accel-redirect"} {
			f := start(t, proto, 0, func(c *call) bool {
				c.reply("HTTP/1.1 200 OK\r\n%s: /srv/app/secret\r\nX-Accel-Buffering: no\r\nContent-Length: 0\r\n\r\n", field)
				return true
			})
			r := route(f)
			if field == "X-Sendfile" {
				r.AccelLocations = map[string]string{"/files/": "/files"} // the other one is for us
			}
			s := serve(t, Config{}, r)
			if got := s.dial().get("/").Header; got.Get(field) != "" || got.Get("X-Accel-Buffering") != "no" {
				t.Errorf("a client: got %v", got)
			}
			if got := dialPeer(t, "unix", s.unix).get("/").Header; got.Get(field) != "/srv/app/secret" {
				t.Errorf("a web server: got %v", got)
			}
		}
	})
}

func TestAppsAreToldOfSendfile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		dirs      []string
		locations map[string]string
		want      string
	}{
		"none":      {nil, nil, "|"},
		"dirs":      {[]string{"a"}, nil, "X-Sendfile|"},
		"locations": {nil, map[string]string{"/p/": "a"}, "X-Accel-Redirect|/app/a/=/p/"},
		"both":      {[]string{"a"}, map[string]string{"/p/": "/b/"}, "X-Sendfile|/b/=/p/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			both(t, func(t *testing.T, proto string) {
				f := start(t, proto, 0, func(c *call) bool {
					c.ok(c.header("X-Sendfile-Type") + "|" + c.header("X-Accel-Mapping"))
					return true
				})
				f.route.AppRoot = "/app"
				r := route(f)
				r.SendfileDirs, r.AccelLocations = c.dirs, c.locations
				s := serve(t, Config{}, r)
				// CVE-2025-61780, also by a client that we trust.
				for _, p := range []*peer{s.dial(), dialPeer(t, "unix", s.unix)} {
					got := p.send("GET / HTTP/1.1\r\nHost: a\r\nX-Sendfile-Type: X-Accel-Redirect\r\nX-SENDFILE-TYPE: x\r\n" +
						"X_Sendfile_Type: X-Sendfile\r\nX-Accel-Mapping: /=/files/\r\nX_Accel_Mapping: /=/p/\r\n\r\n").receive("GET")
					if got.Body != c.want {
						t.Errorf("got %q, want %q", got.Body, c.want)
					}
				}
			})
		})
	}
}

// withStorage serves an app whose answers name the file in the query: by=path
// or by=url, with further fields and a status.
func withStorage(t *testing.T, proto string) (s *server, f *fake, dir string) {
	t.Helper()
	dir = t.TempDir()
	storage := filepath.Join(dir, "storage")
	if err := os.MkdirAll(filepath.Join(storage, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"a.txt": "0123456789", "b c?.css": "css", "empty": "", "../secret.txt": "secret", "sub/x": "x"} {
		if err := os.WriteFile(filepath.Join(storage, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f = start(t, proto, 1, func(c *call) bool {
		io.Copy(io.Discard, c.Body)
		u, err := url.Parse(c.Target)
		if err != nil {
			t.Errorf("target %q: %v", c.Target, err)
			return false
		}
		q := u.Query()
		status, body := "200", "this is not the file"
		if v := q.Get("status"); v != "" {
			status = v
		}
		c.reply("HTTP/1.1 %s X\r\n%s\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nX-Other: 1\r\nContent-Encoding: gzip\r\n%s\r\n",
			status, q.Get("file"), q.Get("fields"))
		if c.Method != "HEAD" {
			c.reply("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
		}
		return true
	})
	f.route.AppRoot = dir
	r := route(f)
	r.SendfileDirs, r.AccelLocations = []string{"storage"}, map[string]string{"/protected/": "storage"}
	return serve(t, Config{}, r), f, dir
}

func naming(file, fields string) string {
	return "/?file=" + url.QueryEscape(file) + "&fields=" + url.QueryEscape(fields)
}

func TestFilesThatAnswersNameAreSent(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		s, f, dir := withStorage(t, proto)
		p := s.dial()
		byPath, byURL := "X-Sendfile: "+dir+"/storage/", "X-Accel-Redirect: /protected/"
		for file, want := range map[string]string{
			byPath + "a.txt": "0123456789", byURL + "a.txt": "0123456789", byPath + "b c?.css": "css", byURL + "b%20c%3f.css": "css",
			byPath + "empty": "", byURL + "sub/x?query": "x", byURL + "a.txt\r\nX-Sendfile: /etc/passwd": "0123456789",
		} {
			r := p.get(naming(file, "Content-Type: text/x-own\r\n"))
			h := r.Header
			if r.Status != 200 || r.Body != want || h.Get("Content-Type") != "text/x-own" || h.Get("Content-Encoding") != "" ||
				len(h.Values("Set-Cookie")) != 2 || h.Get("X-Other") != "1" || h.Get("X-Sendfile") != "" || h.Get("X-Accel-Redirect") != "" {
				t.Errorf("%s: got %+v, want %q", file, r, want)
			}
		}
		if n := f.accepted.Load(); n != 1 {
			t.Errorf("the process got %d connections, want 1 for all", n)
		}
		// Its own type, where the app has none.
		if r := p.get(naming(byURL+"b%20c%3f.css", "")); r.Header.Get("Content-Type") != "text/css; charset=utf-8" || r.Header.Get("Etag") == "" {
			t.Errorf("got %v", r.Header)
		}
		// Without the setting the field is for the web server in front.
		f.route.AppRoot = ""
		s.set(route(f))
		if r := dialPeer(t, "unix", s.unix).get(naming(byURL+"a.txt", "")); r.Header.Get("X-Accel-Redirect") != "/protected/a.txt" || r.Body != "this is not the file" {
			t.Errorf("got %+v", r)
		}
	})
}

func TestNamedFilesInPartAndOnCondition(t *testing.T) {
	t.Parallel()
	s, _, dir := withStorage(t, protocol.ProtocolSession)
	p := s.dial()
	file := "X-Sendfile: " + dir + "/storage/a.txt"
	const etag, date = "ETag: \"own\"\r\n", "Last-Modified: Mon, 02 Jan 2006 15:04:05 GMT\r\n"
	whole := "0123456789"
	for _, c := range []struct {
		method, fields, header, status, body string
		want                                 int
	}{
		{"GET", "", "Range: bytes=2-4", "", "234", 206},
		{"GET", "Content-Range: bytes 2-4/10\r\n", "Range: bytes=2-4", "206", "234", 206},
		{"GET", "", "Range: bytes=20-", "", "", 416},
		{"GET", etag, `If-None-Match: "own"`, "", "", 304},
		{"GET", etag, `If-None-Match: W/"own"`, "", "", 304},
		{"GET", etag, `If-None-Match: "other"`, "", whole, 200},
		{"GET", etag, `If-Match: "other"`, "", "", 412},
		{"GET", date, "If-Modified-Since: Mon, 02 Jan 2006 15:04:05 GMT", "", "", 304},
		{"GET", date, "If-Modified-Since: Mon, 02 Jan 2006 15:04:04 GMT", "", whole, 200},
		{"GET", etag, "Range: bytes=2-4\r\nIf-Range: \"own\"", "", "234", 206},
		{"GET", etag, "Range: bytes=2-4\r\nIf-Range: \"other\"", "", whole, 200},
		{"HEAD", "", "Range: bytes=2-4", "", "", 200},
		{"HEAD", "", "", "", "", 200},
		// What is no answer to "give me this" is sent whole, as it is.
		{"POST", etag, "Range: bytes=2-4", "", whole, 200},
		{"POST", etag, `If-None-Match: "own"`, "", whole, 200},
		{"GET", etag, "Range: bytes=2-4\r\nIf-None-Match: \"own\"", "404", whole, 404},
		{"GET", "", "", "503", whole, 503},
	} {
		target := naming(file, c.fields) + "&status=" + c.status
		head := c.method + " " + target + " HTTP/1.1\r\nHost: a\r\n"
		if c.method == "POST" {
			head += "Content-Length: 0\r\n"
		}
		if c.header != "" {
			head += c.header + "\r\n"
		}
		r := p.send(head + "\r\n").receive(c.method)
		if r.Status != c.want || r.Body != c.body || r.Header.Get("X-Other") != "1" {
			t.Errorf("%s, app %q %q, client %q: got %d, %q, want %d, %q", c.method, c.status, c.fields, c.header, r.Status, r.Body, c.want, c.body)
		}
		if strings.HasPrefix(c.fields, "ETag") && r.Header.Get("Etag") != `"own"` && c.want < 400 {
			t.Errorf("got the tag %q, want the app's", r.Header.Get("Etag"))
		}
	}
}

func TestFilesThatMayNotBeSent(t *testing.T) {
	t.Parallel()
	s, _, dir := withStorage(t, protocol.ProtocolHTTP)
	for link, to := range map[string]string{"out": "../secret.txt", "up": "..", "abs": dir + "/storage/a.txt", "in": "a.txt"} {
		if err := os.Symlink(to, filepath.Join(dir, "storage", link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "storage", "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := s.dial()
	byPath, byURL := "X-Sendfile: "+dir+"/storage/", "X-Accel-Redirect: /protected/"
	for file, want := range map[string]int{
		byPath + "in": 200, byPath + "out": 403, byURL + "out": 403, byPath + "up/secret.txt": 403, byPath + "abs": 403, byPath + "fifo": 404,
		byPath + "none": 404, byURL + "none": 404, byPath + "sub": 404, byURL: 404, byPath + "../secret.txt": 403, byPath + "a.txt/x": 404,
		"X-Sendfile: /etc/passwd": 403, "X-Sendfile: storage/a.txt": 403, "X-Accel-Redirect: /etc/passwd": 404, "X-Sendfile:": 403,
		byPath + strings.Repeat("x", 5000): 404,
	} {
		r := p.get(naming(file, ""))
		if r.Status != want || strings.Contains(r.Body, "secret") || strings.Contains(r.Body, "root:") {
			t.Errorf("%s: got %d, %.60q, want %d", file, r.Status, r.Body, want)
		}
	}
}

// traversals are the ways in the corpus, with the names of this test.
func traversals(t *testing.T, root string) []string {
	t.Helper()
	b, err := os.ReadFile("testdata/traversal.txt")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSuffix(line, "\n"); line != "" && line[0] != '#' {
			list = append(list, strings.NewReplacer("SECRET", "secret.txt", "ROOT", strings.TrimPrefix(root, "/")).Replace(line))
		}
	}
	if len(list) < 100 {
		t.Fatalf("the corpus has %d ways only", len(list))
	}
	return list
}

func TestNoWayLeadsOutOfTheDirectories(t *testing.T) {
	t.Parallel()
	s, _, dir := withStorage(t, protocol.ProtocolHTTP)
	public, files := withFiles(t, map[string]string{"a.txt": "text", "sub/x.txt": "x"})
	if err := os.WriteFile(filepath.Join(files, "secret.txt"), []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	for below, out := range map[string]string{filepath.Join(dir, "storage"): dir, filepath.Join(files, "public"): files} {
		for link, to := range map[string]string{"out.txt": "../secret.txt", "up": "..", "abs.txt": out + "/secret.txt", "proc": "/proc"} {
			if err := os.Symlink(to, filepath.Join(below, link)); err != nil {
				t.Fatal(err)
			}
		}
		if err := syscall.Mkfifo(filepath.Join(below, "fifo.txt"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	check := func(what string, r reply) {
		t.Helper()
		if strings.Contains(r.Body, "secret") || r.Status >= 500 {
			t.Errorf("%s: got %d, %.80q", what, r.Status, r.Body)
		}
	}
	for _, way := range traversals(t, dir) {
		p := s.dial()
		for _, file := range []string{"X-Sendfile: " + dir + "/storage/" + way, "X-Accel-Redirect: /protected/" + way} {
			r := p.get(naming(file, ""))
			if check(file, r); r.Status == 200 {
				t.Errorf("%s: got 200, %.80q", file, r.Body)
			}
		}
	}
	for _, way := range traversals(t, files) {
		// What is no target at all ends the connection.
		check(way, public.dial().get("/"+way))
	}
}

func TestNamedFilesOverHTTP2(t *testing.T) {
	t.Parallel()
	dir, content := t.TempDir(), strings.Repeat("x", 1<<20)
	if err := os.WriteFile(filepath.Join(dir, "big.bin"), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	f := start(t, protocol.ProtocolSession, 0, func(c *call) bool {
		c.reply("HTTP/1.1 200 OK\r\nX-Sendfile: %s/big.bin\r\nContent-Length: 0\r\n\r\n", dir)
		return true
	})
	r := route(f)
	r.SendfileDirs = []string{dir}
	_, addr := serveTLS(t, Config{}, r)
	over(t, addr, func(t *testing.T, c *http.Client, version string) {
		sameBody("https://"+addr+"/", content)(t, c, version)
		resp, err := c.Head("https://" + addr + "/")
		if err != nil || resp.ContentLength != int64(len(content)) {
			t.Errorf("HEAD: got %v, %v", resp, err)
		}
	})
}

// A slow client has the file, and nobody has its process.
func TestProcessesAreFreeWhileFilesAreSent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "big.bin"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(64 << 20); err != nil {
		t.Fatal(err)
	}
	app := start(t, protocol.ProtocolSession, 1, func(c *call) bool {
		c.reply("HTTP/1.1 200 OK\r\nX-Sendfile: %s/big.bin\r\nContent-Length: 0\r\n\r\n", dir)
		return true
	})
	r := route(app)
	r.SendfileDirs = []string{dir}
	s := serve(t, Config{}, r)
	slow := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if _, err := slow.in.Peek(100); err != nil {
		t.Fatal(err)
	}
	if n := s.inFlight(app); n != 0 {
		t.Errorf("%d sessions are in flight, want none", n)
	}
	if resp := slow.receive("GET"); len(resp.Body) != 64<<20 || resp.Err != nil {
		t.Errorf("got %d bytes, %v", len(resp.Body), resp.Err)
	}
}
