package files

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"passenger/lib/protocol"
)

func TestWhichDirectoriesHaveTheFiles(t *testing.T) {
	t.Parallel()
	process := func(root string, generation int, draining bool) protocol.RouteProcess {
		return protocol.RouteProcess{AppRoot: root, Generation: generation, Draining: draining}
	}
	for _, c := range []struct {
		root, static string
		processes    []protocol.RouteProcess
		want         string
	}{
		{"/a", "/a/public", []protocol.RouteProcess{process("/r/1", 1, false)}, "/r/1/public"},
		{"/a", "/a/public", []protocol.RouteProcess{process("/r/1", 1, false), process("/r/2", 2, false), process("/r/1", 1, true)}, "/r/2/public /r/1/public"},
		{"/a", "/a/public", []protocol.RouteProcess{process("/r/2", 2, true), process("/r/1", 1, false)}, "/r/1/public /r/2/public"},
		{"/a", "/a/public", []protocol.RouteProcess{process("", 0, false)}, ""}, // of a pool before us
		{"/a", "/a", []protocol.RouteProcess{process("/r/1", 1, false)}, "/r/1"},
		{"/a", "/b/public", []protocol.RouteProcess{process("/r/1", 1, false)}, ""},
		{"/a", "/ab", []protocol.RouteProcess{process("/r/1", 1, false)}, ""},
		{"", "/a/public", []protocol.RouteProcess{process("/r/1", 1, false)}, ""},
		{"/a", "/a/public", nil, ""},
	} {
		r := protocol.Route{AppRoot: c.root, Processes: c.processes, Serving: protocol.Serving{StaticDir: c.static}}
		var paths []string
		for _, p := range new(Dirs).releaseDirs(&r, c.static, staticKey) {
			paths = append(paths, p.Path)
		}
		if got := strings.Join(paths, " "); got != c.want {
			t.Errorf("%s in %s, %v: got %q, want %q", c.static, c.root, c.processes, got, c.want)
		}
	}
}

func TestMissesCountForASecond(t *testing.T) {
	t.Parallel()
	var m Misses
	now := time.Unix(1_800_000_000, 0)
	a, b := Files{salt: 1}, Files{salt: 2}
	m.Add(a.Missed([]byte("/x")), now)
	for what, c := range map[string]struct {
		hash uint64
		at   time.Time
		want bool
	}{
		"the path": {a.Missed([]byte("/x")), now.Add(time.Second - 1), true}, "another": {a.Missed([]byte("/y")), now, false},
		"another app's": {b.Missed([]byte("/x")), now, false}, "later": {a.Missed([]byte("/x")), now.Add(time.Second), false},
		"before": {a.Missed([]byte("/x")), now.Add(-1), false},
	} {
		if got := m.Has(c.hash, c.at); got != c.want {
			t.Errorf("%s: got %v", what, got)
		}
	}
}

// A table with the same directories does not open them again.
func TestDirectoriesStayOpen(t *testing.T) {
	t.Parallel()
	dir := writeFiles(t, map[string]string{"1/public/a": "", "2/public/a": ""})
	a := &Dirs{}
	r := protocol.Route{App: "app", AppRoot: dir, Serving: protocol.Serving{StaticDir: filepath.Join(dir, "1/public")}}
	first := a.Public(&r).rest
	for i := range 2 {
		r.Generation = i
		if f := a.Public(&r).rest; !slices.Equal(f.Roots, first.Roots) || f.salt != first.salt {
			t.Errorf("%d: got %v, want %v", i, f.Roots, first.Roots)
		}
	}
	r.StaticDir = filepath.Join(dir, "2/public")
	if f := a.Public(&r).rest; f.Roots[0] == first.Roots[0] || f.salt == first.salt {
		t.Error("another directory is the same")
	}
	for _, none := range []string{"", "none"} {
		r.StaticDir = none
		if f := a.Public(&r); f != nil {
			t.Error(fmt.Sprint("got files: ", f))
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

func TestReleasesShareFiles(t *testing.T) {
	t.Parallel()
	for release, want := range map[string]string{
		"/srv/shop/releases/1": "/srv/shop/shared/public", "/releases/1": "/shared/public", "/srv/shop": "", "/srv/releases": "", "/srv/shop/releases/1/app": "",
	} {
		if p, ok := sharedPath(release, "public"); p != want || ok != (want != "") {
			t.Errorf("%s: got %v, %v, want %q", release, p, ok, want)
		}
	}
	if p, ok := sharedPath("/srv/shop/releases/1", "."); ok {
		t.Errorf("all that is shared: got %v", p)
	}
}

// Without openat2 files are opened by walking.
func TestTreesWithoutOpenat2(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"in": "a", "out": "../secret", "abs": "/etc/passwd", "none": "b"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := OpenTree(PlaceOf(&protocol.Route{}, &Home{}, dir, staticKey), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	for _, name := range []string{"a", "in", "out", "abs", "none", "..", "../x", "a/b"} {
		walked, err1 := tree.walk(name)
		opened, err2 := tree.open(append([]byte(name), 0))
		if (err1 == nil) != (err2 == nil) || err1 == nil && (walked < 0 || opened < 0) {
			t.Errorf("%s: walking gives %v, openat2 %v", name, err1, err2)
		}
		for _, fd := range []int{walked, opened} {
			f := Regular{FD: fd}
			f.Close()
		}
	}
}
