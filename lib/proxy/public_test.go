package proxy

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"passenger/lib/protocol"
)

// Phusion Passenger serves what an app keeps of its pages, and so do we.
func TestKeptPagesAreFiles(t *testing.T) {
	t.Parallel()
	s, dir := withFiles(t, map[string]string{
		"index.html": "home", "foo.html": "page", "foo.html.gz": "zipped", "docs/index.html": "docs", "list": "bare", "users/1.5.html": "dotted",
		".well-known/acme-challenge/t0ken": "known", "cable.html": "no", "a.html.html": "no", ".html": "no", "docs/.html": "no",
	})
	p := s.dial()
	for path, want := range map[string]string{
		"/": "home", "/?a": "home", "/foo": "page", "/foo?a=b": "page", "/docs/": "docs", "/list": "bare", "/users/1.5": "dotted",
		"/.well-known/acme-challenge/t0ken": "known",
		// These are the app's.
		"/docs": "app", "/foo/": "app", "//": "app", "/foo%2F": "app", "/docs//": "app", "/users": "app", "/a.html": "app", "/none": "app", "/none/": "app",
		"/.well-known": "app", "/.well-known/": "app", "/list/": "app", "/fo": "app",
	} {
		for range 2 { // the second time it is known to be none
			if r := p.get(path); r.Status != 200 || r.Body != want {
				t.Errorf("%s: got %d, %.40q, want %q", path, r.Status, r.Body, want)
			}
		}
	}
	for request, want := range map[string]string{
		"GET /foo HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n":                                                                   "zipped",
		"POST /foo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n":                                                                      "app",
		"GET /foo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx":                                                                      "app",
		"GET /cable HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n":                                             "app",
		"GET /foo HTTP/1.1\r\nHost: a\r\nConnection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n": "page",
		"GET http://a/foo HTTP/1.1\r\nHost: a\r\n\r\n":                                                                                    "page",
		"GET /foo HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\nRange: bytes=1-2\r\n\r\n":                                            "ag",
		"GET /list HTTP/1.1\r\nHost: a\r\nIf-Modified-Since: " + time.Now().UTC().Format(httpTime) + "\r\n\r\n":                           "",
	} {
		if r := p.send(request).receive("GET"); r.Body != want {
			t.Errorf("%q: got %+v, want %q", request, r, want)
		}
	}
	for path, kind := range map[string]string{"/foo": "text/html; charset=utf-8", "/list": "application/octet-stream"} {
		if r := p.get(path); r.Header.Get("Content-Type") != kind {
			t.Errorf("%s: got %v", path, r.Header)
		}
	}
	// One that goes is gone; one that comes is seen, if not at once.
	if err := os.Remove(filepath.Join(dir, "public", "list")); err != nil {
		t.Fatal(err)
	}
	if r := p.get("/list"); r.Body != "app" {
		t.Errorf("got %+v", r)
	}
	if err := os.WriteFile(filepath.Join(dir, "public", "list.html"), []byte("new"), 0o644); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the page is served", func() bool { return p.get("/list").Body == "new" })
}

const httpTime = "Mon, 02 Jan 2006 15:04:05 GMT"

func TestPagesBelowABaseURI(t *testing.T) {
	t.Parallel()
	dir := writeFiles(t, map[string]string{"index.html": "home", "foo.html": "page"})
	r := route(start(t, protocol.ProtocolSession, 0, say("app")))
	r.BaseURI, r.StaticDir = "/shop", dir
	p := serve(t, Config{}, r).dial()
	for path, want := range map[string]string{"/shop": "app", "/shop/": "home", "/shop/foo": "page"} {
		if r := p.get(path); r.Body != want {
			t.Errorf("%s: got %+v, want %q", path, r, want)
		}
	}
}

// writeFiles returns a directory of files.
func writeFiles(t testing.TB, names map[string]string) string {
	t.Helper()
	dir, made := t.TempDir(), time.Now().Add(-time.Hour) // no twin is older than its file
	for name, content := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, made); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Tools that build assets remove the directory, or put another in its place.
func TestDirectoriesMadeAnewAreSeen(t *testing.T) {
	t.Parallel()
	s, dir := withFiles(t, map[string]string{"a.txt": "one"})
	p, public := s.dial(), filepath.Join(dir, "public")
	if r := p.get("/a.txt"); r.Body != "one" {
		t.Fatalf("got %+v", r)
	}
	if err := os.Rename(public, public+"~"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the directory is gone", func() bool { return p.get("/a.txt").Body == "app" })
	if err := os.Rename(writeFiles(t, map[string]string{"a.txt": "two"}), public); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new one is there", func() bool { return p.get("/a.txt").Body == "two" })
}

// A page finds the files of the release that made it, as long as that serves.
func TestFilesAreThoseOfTheReleasesThatServe(t *testing.T) {
	t.Parallel()
	base := writeFiles(t, map[string]string{
		"1/public/a.css": "old a", "1/public/old-0123456789abcdef.js": "old js", "1/public/page.html": "old page",
		"2/public/a.css": "new a", "2/public/new-0123456789abcdef.js": "new js",
		"3/public/a.css": "next a",
	})
	old, next := start(t, protocol.ProtocolSession, 0, say("app")), start(t, protocol.ProtocolSession, 0, say("app"))
	old.route.AppRoot, old.route.Generation = filepath.Join(base, "1"), 1
	next.route.AppRoot, next.route.Generation = filepath.Join(base, "2"), 2
	current := filepath.Join(base, "current")
	lead := func(to string) {
		t.Helper()
		os.Remove(current)
		if err := os.Symlink(to, current); err != nil {
			t.Fatal(err)
		}
	}
	table := func(generation int, fakes ...*fake) protocol.Route {
		r := route(fakes...)
		r.Generation, r.AppRoot, r.StaticDir = generation, current, filepath.Join(current, "public")
		return r
	}
	lead("1")
	s := serve(t, Config{}, table(1))
	p := s.dial()
	all := func(when, a, oldJS, newJS, page string) {
		t.Helper()
		for path, want := range map[string]string{"/a.css": a, "/old-0123456789abcdef.js": oldJS, "/new-0123456789abcdef.js": newJS, "/page": page} {
			r := p.get(path)
			if r.Status == 503 {
				r.Body = "app" // which has no process
			}
			if r.Body != want {
				t.Errorf("%s: %s: got %q, want %q", when, path, r.Body, want)
			}
		}
	}
	if r := p.get("/a.css"); r.Body != "old a" {
		t.Errorf("before the first process: got %+v", r)
	}
	s.set(table(1, old))
	all("one release", "old a", "old js", "app", "old page")
	lead("2") // nobody has restarted
	s.set(table(1, old))
	all("another release is there", "old a", "old js", "app", "old page")
	s.set(table(2, old, next))
	all("both serve", "new a", "old js", "new js", "old page")
	draining := table(2, old, next)
	draining.Processes[1].Draining = true
	s.set(draining)
	all("the new one turned out bad", "old a", "old js", "new js", "old page")
	s.set(table(2, next))
	all("the old one went", "new a", "old js", "new js", "app")
	lead("3")
	empty := table(2, next)
	empty.Processes, empty.Error = nil, &protocol.SpawnError{}
	s.set(empty, table2(t))
	if r := p.get("/a.css"); r.Body != "new a" {
		t.Errorf("the processes are idle: got %+v", r)
	}
	if r := p.get("/old-0123456789abcdef.js"); r.Body != "old js" {
		t.Errorf("the processes are idle: got %+v", r)
	}
	empty.Generation = 3
	s.set(empty)
	all("before the first process of a release", "next a", "app", "new js", "app")
	if err := os.RemoveAll(filepath.Join(base, "2")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a release that was removed has no files", func() bool { return p.get("/new-0123456789abcdef.js").Status == 503 })
}

// table2 is another app in the same table.
func table2(t *testing.T) protocol.Route {
	r := route(start(t, protocol.ProtocolSession, 0, say("other")))
	r.App, r.BaseURI = "other", "/other"
	return r
}

// What cannot be read to its end is no answer of 200.
func TestFilesThatAreCutAreNotTakenForWhole(t *testing.T) {
	t.Parallel()
	t.Run("small", func(t *testing.T) {
		t.Parallel()
		// Files there have a size of a page, and less in them.
		const dir, name = "/sys/kernel", "uevent_seqnum"
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
		r := route(start(t, protocol.ProtocolSession, 0, say("app")))
		r.StaticDir = dir
		p := serve(t, Config{}, r).dial()
		if r := p.get("/" + name); r.Status != 503 || r.Header.Get("Retry-After") == "" {
			t.Errorf("got %+v", r)
		}
		if r := p.get("/none"); r.Body != "app" {
			t.Errorf("got %+v behind it", r)
		}
	})
	t.Run("TLS", func(t *testing.T) {
		t.Parallel()
		dir := writeFiles(t, map[string]string{"a.bin": ""})
		path := filepath.Join(dir, "a.bin")
		if err := os.Truncate(path, 64<<20); err != nil {
			t.Fatal(err)
		}
		r := route(start(t, protocol.ProtocolSession, 0, say("app")))
		r.StaticDir = dir
		_, addr := serveTLS(t, Config{}, r)
		over(t, addr, func(t *testing.T, c *http.Client, _ string) {
			if err := os.Truncate(path, 64<<20); err != nil {
				t.Fatal(err)
			}
			got, err := c.Get("https://" + addr + "/a.bin")
			if err != nil {
				t.Fatal(err)
			}
			defer got.Body.Close()
			if err := os.Truncate(path, 1000); err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, got.Body); err == nil || n >= 64<<20 {
				t.Errorf("got %d bytes, %v", n, err)
			}
		})
	})
	t.Run("large", func(t *testing.T) {
		t.Parallel()
		s, dir := withFiles(t, map[string]string{"a.bin": ""})
		path := filepath.Join(dir, "public", "a.bin")
		const size = 64 << 20
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		p := s.dial().send("GET /a.bin HTTP/1.1\r\nHost: a\r\n\r\n")
		if _, err := p.in.Peek(1000); err != nil {
			t.Fatal(err)
		}
		if list := s.requests(); len(list) != 1 || list[0].Phase != "responding" || list[0].Path != "/a.bin" || list[0].App != "app" {
			t.Errorf("requests in flight: got %+v", list)
		}
		if err := os.Truncate(path, 1000); err != nil {
			t.Fatal(err)
		}
		if r := p.receive("GET"); r.Err == nil || len(r.Body) >= size {
			t.Errorf("got %d bytes, %v", len(r.Body), r.Err)
		}
	})
}

// Capistrano makes links to what the releases of an app have in common.
func TestSharedFilesAreServed(t *testing.T) {
	t.Parallel()
	base := writeFiles(t, map[string]string{
		"releases/1/public/a.css": "own", "shared/public/assets/app.js": "shared js", "shared/public/assets/app.js.gz": "packed", "shared/public/up/a b.txt": "upload",
		"shared/public/page.html": "page", "shared/config/database.yml": "secret", "secret.txt": "secret",
	})
	release := filepath.Join(base, "releases/1")
	for name, to := range map[string]string{
		"assets": filepath.Join(base, "shared/public/assets"), "up": "../../../shared/public/up", "page.html": "../../../shared/public/page.html",
		"config": "../../../shared/config", "shared": "../../../shared", "secret.txt": "../../../secret.txt", "none.txt": "../../../shared/public/none.txt", "out.txt": "../../../shared/public/out.txt",
		"../../../shared/public/out.txt": "../config/database.yml", "../../../current": "releases/1",
	} {
		if err := os.Symlink(to, filepath.Join(release, "public", name)); err != nil {
			t.Fatal(err)
		}
	}
	f := start(t, protocol.ProtocolSession, 0, say("app"))
	f.route.AppRoot, f.route.Generation = release, 1
	for when, r := range map[string]protocol.Route{"a process": route(f), "none": route()} {
		r.AppRoot, r.StaticDir = filepath.Join(base, "current"), filepath.Join(base, "current/public")
		r.Error = &protocol.SpawnError{} // without a process: an answer at once
		p := serve(t, Config{}, r).dial()
		for path, want := range map[string]string{
			"/a.css": "own", "/assets/app.js": "shared js", "/up/a%20b.txt": "upload", "/page": "page",
			"/config/database.yml": "", "/shared/config/database.yml": "", "/secret.txt": "", "/none.txt": "", "/out.txt": "", "/up/../../config/database.yml": "", "/up/%2e%2e/out.txt": "",
		} {
			r := p.get(path)
			if served := r.Status == 200 && r.Body != "app"; served != (want != "") || served && r.Body != want {
				t.Errorf("%s, %s: got %d, %.40q, want %q", when, path, r.Status, r.Body, want)
			}
		}
		if r := p.send("GET /assets/app.js HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n").receive("GET"); r.Body != "packed" {
			t.Errorf("%s: got %+v", when, r)
		}
	}
}
