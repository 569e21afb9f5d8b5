package proxy

import (
	"os"
	"path/filepath"
	"testing"
	"time"

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

// We may read what the app's user may not.
func TestLinksLeadAppsToNothingOfOthers(t *testing.T) {
	t.Parallel()
	app := appsOwn(t, map[string]string{"key": "../key", "dir": "../dir", "inside": "page", "theirs": "../theirs", "none": "nowhere"})
	for name, want := range map[string]bool{
		"page": true, "public": true, "public/a": true, "inside": true, "roots": true, "roots/a": true, "theirs": true, "theirs/page": true,
		"key": false, "dir": false, "dir/key": false, "none": false,
	} {
		if err := opens(&protocol.Route{AppRoot: app}, nil, filepath.Join(app, name)); (err == nil) != want {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
	}
	// What is not below the app's directory was named by the administrator.
	if err := opens(&protocol.Route{AppRoot: app}, nil, filepath.Join(app, "../key")); err != nil {
		t.Error(err)
	}
}

// opens finds what a setting of an app names.
func opens(r *protocol.Route, p *protocol.RouteProcess, path string) error {
	way, l, err := placeOf(r, (&app{}).homeOf(r, p), path, staticKey).find(time.Now())
	if err == nil {
		if way.Regular() && l.all && !l.allows(-1, way.Stat, nil) {
			err = errOthers
		}
		way.Close()
	}
	return err
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
