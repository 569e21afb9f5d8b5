package files

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/protocol"
)

const (
	tenant = 4711
	other  = 4712
	secret = "the secret of another"
)

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
	way, l, err := PlaceOf(r, (&Dirs{}).Home(r, p), path, staticKey).find(time.Now())
	if err == nil {
		if way.Regular() && l.all && !l.allows(-1, way.Stat, nil) {
			err = errOthers
		}
		way.Close()
	}
	return err
}

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

// What needs no race: links, further names, and settings of the app's own.
func TestWhatIsSentForAnApp(t *testing.T) {
	t.Parallel()
	srv := tenants(t)
	app := filepath.Join(srv, "app")
	for name, to := range map[string]string{
		"page.html": "../other/error.html", "open.html": "../other/open.html", "dir": "../other/private", "chain": "dir", "root": "/", "shadow": "/etc/shadow",
		"self": "/proc/self/environ", "own.html": "error.html", "away.html": "../app2/error.html",
	} {
		link(t, to, filepath.Join(app, name))
	}
	if err := errors.Join(os.Mkdir(srv+"/app2", 0o755), os.Lchown(srv+"/app2", tenant, tenant), os.WriteFile(srv+"/app2/error.html", []byte("own"), 0o600),
		os.Lchown(srv+"/app2/error.html", tenant, tenant), os.Link(srv+"/other/error.html", app+"/hard.html"), os.Link(srv+"/other/open.html", app+"/hard-open.html"),
		os.WriteFile(app+"/roots.html", nil, 0o600), unix.Mkfifo(app+"/fifo", 0o666)); err != nil {
		t.Fatal(err)
	}
	var p protocol.RouteProcess
	rooted(t, &p, app)
	foreign, unnoted := p, protocol.RouteProcess{AppRoot: app}
	rooted(t, &foreign, srv+"/other")
	foreign.Foreign = true
	turned := p // its directory is a link to the other's now
	turned.AppRoot = srv + "/turned"
	link(t, "other", srv+"/turned")
	reused := turned // it was removed, and the other's has its number
	rooted(t, &reused, srv+"/other")
	reused.AppRoot, reused.Owner = srv+"/turned", new(tenant)
	link(t, "other", srv+"/current") // before a process: a deployer's link to what a builder made
	deployed := protocol.RouteProcess{AppRoot: srv + "/current"}
	for _, c := range []struct {
		what, path string
		process    protocol.RouteProcess
		byApp      bool
		want       bool
	}{
		{"its file", app + "/error.html", p, true, true},
		{"its file, by an older route table", app + "/error.html", unnoted, true, true},
		{"a link of its own inside", app + "/own.html", p, true, true},
		{"a link of its own to what is its own", app + "/away.html", p, true, true},
		{"a link of its own to what is its own, by an older route table", app + "/away.html", unnoted, true, true},
		{"root's file in its directory", app + "/roots.html", p, true, true},
		{"another's for all, by its link", app + "/open.html", p, true, true},
		{"another's, by its link", app + "/page.html", p, true, false},
		{"another's, by its link, by an older route table", app + "/page.html", unnoted, true, false},
		{"another's, by its link, named by the administrator", app + "/page.html", p, false, false},
		{"root's", app + "/shadow", p, true, false},
		{"what /proc shows to us", app + "/self", p, true, false},
		{"a further name of another's", app + "/hard.html", p, true, false},
		{"a further name of what is for all", app + "/hard-open.html", p, true, true},
		{"another's, in its own settings", srv + "/other/error.html", p, true, false},
		{"another's for all, in its own settings", srv + "/other/open.html", p, true, true},
		{"another's, in the administrator's settings", srv + "/other/error.html", p, false, true},
		{"another's, in an older route table", srv + "/other/error.html", unnoted, false, true},
		{"root's, in its own settings", "/etc/shadow", p, true, false},
		{"root's, in its own settings, before the first start", "/etc/shadow", unnoted, true, false},
		{"another's, where its user led to that", srv + "/other/error.html", foreign, true, false},
		{"another's for all, where its user led to that", srv + "/other/open.html", foreign, true, true},
		{"another's for all, by a link and without a process", srv + "/current/open.html", deployed, true, true},
		{"another's, by a link and without a process", srv + "/current/error.html", deployed, true, false},
		{"another's, which has the number of its directory that was removed", srv + "/turned/error.html", reused, true, false},
		{"another's, where its directory was turned", srv + "/turned/error.html", turned, true, false},
	} {
		r := protocol.Route{App: "app", AppRoot: c.process.AppRoot, UID: c.process.UID}
		if c.byApp {
			r.SetByApp = []string{staticKey}
		}
		if err := opens(&r, &c.process, c.path); (err == nil) != c.want {
			t.Errorf("%s: got %v, want it sent: %v", c.what, err, c.want)
		}
	}
	if _, err := PlaceOf(&protocol.Route{}, newHome(&p), app+"/fifo", staticKey).OpenFile(time.Now()); !errors.Is(err, errIrregular) {
		t.Errorf("a FIFO: got %v", err)
	}
}

func newHome(p *protocol.RouteProcess) *Home { return (&Dirs{}).Home(&protocol.Route{App: "app"}, p) }

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
