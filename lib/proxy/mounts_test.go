package proxy

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"passenger/lib/protocol"
)

// withMounts serves an app that says "app", with static mounts, below a base URI.
func withMounts(t *testing.T, base string, mounts map[string]string, names map[string]string) (s *server, dir string) {
	t.Helper()
	dir = writeFiles(t, names)
	r := route(start(t, protocol.ProtocolSession, 0, say("app")))
	r.BaseURI, r.AppRoot, r.StaticDir, r.StaticMounts = base, dir, filepath.Join(dir, "public"), mounts
	r.StaticCacheControl = map[string]string{"/": "no-cache", "/media/": "private, max-age=60"}
	return serve(t, Config{}, r), dir
}

func TestMountsHaveTheirPathsForThemselves(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"/", "/shop"} {
		s, _ := withMounts(t, base, map[string]string{"/static/": "collected", "/static/vendor/": "libs", "/media/": "up/loads/"}, map[string]string{
			"public/a.txt": "public", "public/static/hidden.txt": "beside the mount", "public/index.html": "home",
			"collected/a.css": "css", "collected/index.html": "list", "collected/.env": "secret", "collected/vendor/x.js": "shadowed",
			"collected/packed.js": "plain", "collected/packed.js.br": "brotli", "collected/page.html": "page",
			"libs/x.js": "lib", "up/loads/b-0123456789abcdef.png": "png",
		})
		p := s.dial()
		base = strings.TrimSuffix(base, "/")
		for path, want := range map[string]string{
			"/": "home", "/a.txt": "public", "/static/a.css": "css", "/static/": "list", "/static/page": "page", "/static": "app",
			"/static/hidden.txt": "app", "/static/none.css": "app", "/static/vendor/x.js": "lib", "/static/vendor/y.js": "app",
			"/static/%61.css": "css", "/%73tatic/a.css": "app", "/static%2fa.css": "app", "/STATIC/a.css": "app", "/static//a.css": "app",
			"/static/.env": "app", "/static/%2eenv": "app", "/static/../public/a.txt": "app", "/static/%2e%2e/public/a.txt": "app",
			"/static/..%2fpublic/a.txt": "app", "/static/vendor/../a.css": "app", "/static/./a.css": "app", "//static/a.css": "app",
			"/media/b-0123456789abcdef.png": "png", "/media/../libs/x.js": "app", "/up/loads/b-0123456789abcdef.png": "app",
		} {
			if r := p.get(base + path); r.Body != want {
				t.Errorf("%s%s: got %+v, want %q", base, path, r, want)
			}
		}
		for path, want := range map[string]string{"/static/a.css": "no-cache", "/a.txt": "no-cache", "/media/b-0123456789abcdef.png": "private, max-age=60"} {
			if r := p.get(base + path); r.Header.Get("Cache-Control") != want {
				t.Errorf("%s%s: got %+v, want Cache-Control %q", base, path, r, want)
			}
		}
		r := p.send("GET " + base + "/static/packed.js HTTP/1.1\r\nHost: a\r\nAccept-Encoding: br\r\n\r\n").receive("GET")
		if r.Body != "brotli" || r.Header.Get("Vary") != "Accept-Encoding" || r.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("the twin: got %+v", r)
		}
		r = p.send("GET " + base + "/static/packed.js HTTP/1.1\r\nHost: a\r\nRange: bytes=1-3\r\n\r\n").receive("GET")
		if r.Status != 206 || r.Body != "lai" || r.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("a range: got %+v", r)
		}
	}
}

// A mount of all paths takes the place of the public directory.
func TestOneMountMayHaveAllPaths(t *testing.T) {
	t.Parallel()
	s, _ := withMounts(t, "/", map[string]string{"/": "dist"}, map[string]string{"public/a.txt": "public", "dist/b.txt": "dist"})
	p := s.dial()
	for path, want := range map[string]string{"/a.txt": "app", "/b.txt": "dist"} {
		if r := p.get(path); r.Body != want {
			t.Errorf("%s: got %+v, want %q", path, r, want)
		}
	}
}

// Nothing that a mount's directory leads to is sent that static_files_dir would not send.
func TestMountsOfOthersDirectories(t *testing.T) {
	t.Parallel()
	srv := tenants(t)
	app := filepath.Join(srv, "app")
	link(t, "../other/public", filepath.Join(app, "linked"))
	link(t, "../../other/public/a.txt", filepath.Join(app, "public/file.txt"))
	mounts := map[string]string{"/own/": "public", "/linked/": "linked", "/up/": "../other/public", "/named/": filepath.Join(srv, "other/public")}
	f := start(t, protocol.ProtocolSession, 0, say("app"))
	rooted(t, &f.route, app)
	for _, c := range []struct {
		what  string
		byApp bool
		want  map[string]string
	}{
		{"the app's own settings", true, map[string]string{"/own/a.txt": "own", "/own/file.txt": "app", "/linked/a.txt": "app", "/linked/open.txt": "for all",
			"/up/a.txt": "app", "/up/open.txt": "for all", "/named/a.txt": "app", "/named/open.txt": "for all"}},
		{"the administrator's", false, map[string]string{"/own/a.txt": "own", "/own/file.txt": "app", "/linked/a.txt": "app", "/named/a.txt": secret}},
	} {
		r := route(f)
		r.AppRoot, r.UID, r.StaticMounts = app, new(tenant), maps.Clone(mounts)
		for prefix := range mounts {
			if c.byApp {
				r.SetByApp = append(r.SetByApp, protocol.StaticMountKey(prefix))
			}
		}
		p := serve(t, Config{}, r).dial()
		for path, want := range c.want {
			if got := p.get(path); got.Body != want {
				t.Errorf("%s, %s: got %+v, want %q", c.what, path, got, want)
			}
		}
	}
}

// A mount may go and come, and another may have its directory, while it serves.
func TestMountsChangeWithTheTable(t *testing.T) {
	t.Parallel()
	s, dir := withMounts(t, "/", map[string]string{"/s/": "one"}, map[string]string{"one/a.txt": "one", "two/a.txt": "two"})
	p := s.dial()
	for _, c := range []struct {
		mounts map[string]string
		want   string
	}{{map[string]string{"/s/": "one"}, "one"}, {map[string]string{"/s/": "two"}, "two"}, {nil, "app"}, {map[string]string{"/": dir, "/s/": dir + "/one"}, "one"}} {
		r := *s.index.Load().mounts[0].route
		r.StaticMounts = c.mounts
		s.set(r)
		if got := p.get("/s/a.txt"); got.Body != c.want {
			t.Errorf("%v: got %+v, want %q", c.mounts, got, c.want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "one/late.txt"), []byte("late"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := p.get("/s/late.txt"); got.Body != "late" {
		t.Errorf("got %+v", got)
	}
}
