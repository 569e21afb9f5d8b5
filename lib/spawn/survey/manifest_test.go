package survey

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/protocol"
)

// A tree is a release in a test.
type tree struct {
	t   *testing.T
	dir string
}

func plant(t *testing.T, files ...string) tree {
	t.Helper()
	w := tree{t, t.TempDir()}
	for _, name := range files {
		w.write(name, "of "+name)
	}
	return w
}

func (w tree) path(name string) string { return filepath.Join(w.dir, name) }

func (w tree) write(name, text string) {
	w.t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(w.path(name)), 0o755), os.WriteFile(w.path(name), []byte(text), 0o644)); err != nil {
		w.t.Fatal(err)
	}
}

func (w tree) take(before *Manifest) *Manifest {
	w.t.Helper()
	return w.takeWithin(time.Hour, before)
}

func (w tree) takeWithin(limit time.Duration, before *Manifest) *Manifest {
	w.t.Helper()
	m, err := ManifestQuestion{Question: Question{Config: protocol.AppConfig{Name: "shop"}, Release: &Release{Path: w.dir}}, Before: before}.takeWithin(limit)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

func names(m *Manifest) (list []string) {
	for _, f := range m.Files {
		list = append(list, f.Path)
	}
	return list
}

func TestManifestHasCodeAndNothingElse(t *testing.T) {
	t.Parallel()
	w := plant(t, "config.ru", "lib/a.rb", "bin/rails", "node_modules/x/index.js", "photo.jpg", "db/shop.sqlite3", "log/production.log", "log/x.rb",
		"tmp/cache/y.rb", "public/app.js", ".git/HEAD", ".env", "lib/__pycache__/z.py")
	if err := errors.Join(os.Symlink("a.rb", w.path("lib/link.rb")), os.Symlink("/etc", w.path("etc")), syscall.Mkfifo(w.path("fifo.rb"), 0o644)); err != nil {
		t.Fatal(err)
	}
	m := w.take(nil)
	if diff := cmp.Diff([]string{"bin/rails", "config.ru", "lib/a.rb", "node_modules/x/index.js"}, names(m)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, f := range m.Files {
		if len(f.Sum) != 32 || f.Size == 0 || f.Changed == 0 || f.Inode == 0 {
			t.Errorf("got %+v", f)
		}
	}
}

func TestManifestsDiffer(t *testing.T) {
	t.Parallel()
	w := plant(t, "a.rb", "b.rb", "c.rb", "same.rb", "touched.rb")
	before := w.take(nil)
	if d := before.Differ(w.take(before)); d != nil {
		t.Errorf("nothing changed: got %q", d)
	}
	w.write("b.rb", "of x.rb") // as long as before
	w.write("touched.rb", "of touched.rb")
	w.write("new.rb", "")
	if err := os.Remove(w.path("c.rb")); err != nil {
		t.Fatal(err)
	}
	want := []string{"b.rb", "c.rb", "new.rb"}
	for _, known := range []*Manifest{nil, before} {
		if diff := cmp.Diff(want, before.Differ(w.take(known))); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}

// A file that was not written to is not read again; one whose time of
// modification was set back is.
func TestManifestReadsWhatChanged(t *testing.T) {
	t.Parallel()
	w := plant(t, "a.rb", "b.rb")
	before := w.take(nil)
	fi, err := os.Stat(w.path("b.rb"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range before.Files {
		before.Files[i].Sum = strings.Repeat("0", 32)
	}
	w.write("b.rb", "of x.rb")
	if err := os.Chtimes(w.path("b.rb"), fi.ModTime(), fi.ModTime()); err != nil {
		t.Fatal(err)
	}
	after := w.take(before)
	if after.Files[0].Sum != before.Files[0].Sum || after.Files[1].Sum == before.Files[1].Sum {
		t.Errorf("got %+v, want a.rb taken over and b.rb read", after.Files)
	}
}

func TestManifestIsBounded(t *testing.T) {
	t.Parallel()
	w := plant(t, "z.rb")
	for i := range maxFiles + 10 {
		w.write(fmt.Sprintf("deep/%05d.rb", i), "")
	}
	w.write("big.py", strings.Repeat("x", maxHashed+1))
	m := w.take(nil)
	if len(m.Files) != maxFiles || m.Partial == "" {
		t.Errorf("got %d files, partial %q", len(m.Files), m.Partial)
	}
	i := slices.IndexFunc(m.Files, func(f File) bool { return f.Path == "big.py" })
	if i < 0 || m.Files[i].Sum != "" || m.Files[len(m.Files)-1].Path != "z.rb" {
		t.Errorf("got %d, want the upper files first and a large one without a sum", i)
	}
	w.write("deep/00000.rb", "changed")
	w.write("deep/zzz.rb", "")
	w.write("big.py", strings.Repeat("y", maxHashed+1))
	if diff := cmp.Diff([]string{"big.py", "deep/00000.rb"}, m.Differ(w.take(m))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestManifestIsBoundedInTime(t *testing.T) {
	t.Parallel()
	w := plant(t, "a.rb", "b.rb")
	if m := w.takeWithin(0, nil); len(m.Files) != 1 || m.Partial != "it takes over 0s to read" {
		t.Errorf("got %d files, partial %q, want one", len(m.Files), m.Partial)
	}
}

func TestManifestOfWhatIsNotThereIsAnError(t *testing.T) {
	t.Parallel()
	q := ManifestQuestion{Question: Question{Config: protocol.AppConfig{Name: "shop"}, Release: &Release{Path: "/nonexistent/x"}}}
	if _, err := q.Take(); err == nil || !strings.Contains(err.Error(), "/nonexistent") {
		t.Errorf("got %v", err)
	}
}

// BenchmarkManifest is a release of 2,000 files of 5 KB, the first time and again.
func BenchmarkManifest(b *testing.B) {
	dir := b.TempDir()
	for i := range 2000 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%04d.rb", i)), []byte(strings.Repeat("x", 5000)), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	q := ManifestQuestion{Question: Question{Release: &Release{Path: dir}}}
	first, err := q.Take()
	if err != nil {
		b.Fatal(err)
	}
	for name, before := range map[string]*Manifest{"first": nil, "again": first} {
		b.Run(name, func(b *testing.B) {
			q.Before = before
			for b.Loop() {
				if _, err := q.Take(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
