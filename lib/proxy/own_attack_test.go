package proxy

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"passenger/lib/protocol"
)

const (
	tenant = 4711
	other  = 4712
	secret = "the secret of another"
)

// tenants makes the directories of an app, srv/app, and of another user's,
// srv/other, each with files of the same names. We may read all of them. The
// other's are readable to a group, as web servers have it, but one.
func tenants(t *testing.T) (srv string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can give a file to another user")
	}
	names := map[string]string{}
	for _, name := range []string{"public/a.txt", "public/page.html", "private/a.txt", "error.html", "releases/1/public/a.txt", "releases/1/private/a.txt"} {
		names["app/"+name], names["other/"+name] = "own", secret
	}
	names["other/public/open.txt"], names["other/open.html"] = "for all", "for all"
	srv = writeFiles(t, names)
	if err := errors.Join(os.Chmod(filepath.Dir(srv), 0o755), os.Chmod(srv, 0o755)); err != nil {
		t.Fatal(err)
	}
	err := filepath.Walk(srv, func(path string, fi os.FileInfo, err error) error {
		if err != nil || path == srv {
			return err
		}
		uid, mode := tenant, os.FileMode(0o640)
		if strings.HasPrefix(path, srv+"/other") {
			uid = other
		}
		if fi.IsDir() {
			mode = 0o755
		} else if strings.Contains(path, "/open.") {
			mode = 0o644
		}
		return errors.Join(os.Chown(path, uid, 33), os.Chmod(path, mode))
	})
	if err != nil {
		t.Fatal(err)
	}
	return srv
}

// link makes a symbolic link of the tenant's.
func link(t *testing.T, to, path string) {
	t.Helper()
	if err := errors.Join(os.Symlink(to, path), os.Lchown(path, tenant, tenant)); err != nil {
		t.Fatal(err)
	}
}

// rooted tells of a process which directory its app's was, and whose it is.
func rooted(t *testing.T, p *protocol.RouteProcess, path string) {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	p.AppRoot, p.Generation = path, 1
	p.Device, p.Inode, p.Owner, p.UID = st.Dev, st.Ino, new(int(st.Uid)), new(tenant)
}

// An app's user who turns its directory into a link to somebody else's, at any
// moment, gets nothing of it, and keeps what is its own.
func TestTurningDirectoriesGetNothingOfOthers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ what, turned, to string }{
		{"its directory to the root of all", "app", "/"},
		{"its directory to another's", "app", "other"},
		{"its static files", "app/public", "../other/public"},
		{"what answers name", "app/private", "../other/private"},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			srv := tenants(t)
			app, turned, away := filepath.Join(srv, "app"), filepath.Join(srv, c.turned), filepath.Join(srv, "away")
			f := start(t, protocol.ProtocolSession, 0, func(q *call) bool {
				name := app + "/private/a.txt"
				if c.to == "/" {
					name = app + "/" + q.header("X-Name")
				}
				q.reply("HTTP/1.1 200 OK\r\nX-Sendfile: %s\r\nContent-Length: 0\r\n\r\n", name)
				return true
			})
			rooted(t, &f.route, app)
			r := route(f)
			r.AppRoot, r.StaticDir, r.SendfileDirs, r.UID = app, app+"/public", []string{"private", "."}, new(tenant)
			failed := route()
			failed.App, failed.BaseURI, failed.AppRoot, failed.UID = "failed", "/failed", app, new(tenant)
			failed.Error, failed.ErrorPage = &protocol.SpawnError{}, app+"/error.html"
			s := serve(t, Config{}, r, failed)
			link(t, c.to, away)
			stop, done := make(chan struct{}), sync.WaitGroup{}
			done.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						if err := unix.Renameat2(unix.AT_FDCWD, turned, unix.AT_FDCWD, away, unix.RENAME_EXCHANGE); err != nil {
							t.Error(err)
							return
						}
					}
				}
			})
			p, own := s.dial(), 0
			for i := range 1500 {
				path := [...]string{"/a.txt", "/", "/failed"}[i%3]
				if path == "/" {
					p.send("GET /x HTTP/1.1\r\nHost: a\r\nX-Name: " + strings.TrimPrefix(srv, "/") + "/other/private/a.txt\r\n\r\n")
				} else {
					p.send("GET " + path + " HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n")
				}
				got := p.receive("GET")
				if strings.Contains(got.Body, secret) {
					t.Errorf("%s: got %+v", path, got)
					break
				}
				if got.Body == "own" {
					own++
				}
			}
			close(stop)
			done.Wait()
			if own == 0 {
				t.Error("none of its own files was sent either")
			}
		})
	}
}
