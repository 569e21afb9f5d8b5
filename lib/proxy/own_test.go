package proxy

import (
	"os"
	"path/filepath"
	"testing"

	"passenger/lib/protocol"
)

// appsOwn makes an app's directory that belongs to another user, in a directory
// that does not, and links in it.
func appsOwn(t *testing.T, links map[string]string) (app string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can give a file to another user")
	}
	const user = 4711
	base := writeFiles(t, map[string]string{"key": "secret", "dir/key": "secret", "theirs/page": "theirs", "app/page": "own", "app/public/a": "own", "app/roots/a": "roots"})
	app = filepath.Join(base, "app")
	for name, to := range links {
		if err := os.Symlink(to, filepath.Join(app, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"theirs", "theirs/page", "app", "app/public", "app/public/a", "app/page"} {
		if err := os.Chown(filepath.Join(base, name), user, user); err != nil {
			t.Fatal(err)
		}
	}
	return app
}

func TestFilesOfOthersAreNotServed(t *testing.T) {
	t.Parallel()
	root := appsOwn(t, map[string]string{"files": "../dir", "private": "../dir", "error": "../key"})
	f := start(t, protocol.ProtocolSession, 0, func(c *call) bool {
		c.reply("HTTP/1.1 200 OK\r\nX-Sendfile: %s/private/key\r\nContent-Length: 0\r\n\r\n", root)
		return true
	})
	f.route.AppRoot, f.route.Generation = root, 1
	r := route(f)
	r.AppRoot, r.StaticDir, r.SendfileDirs = root, filepath.Join(root, "files"), []string{"private"}
	s := serve(t, Config{}, r)
	for _, path := range []string{"/key", "/"} { // the first would be a file
		if r := s.dial().get(path); r.Status == 200 {
			t.Errorf("%s: got %+v", path, r)
		}
	}
	failed := route()
	failed.Error, failed.AppRoot, failed.ErrorPage = &protocol.SpawnError{}, root, filepath.Join(root, "error")
	s.set(failed)
	if r := s.dial().get("/"); r.Status != 503 || r.Body == "secret" {
		t.Errorf("the error page: got %+v", r)
	}
}
