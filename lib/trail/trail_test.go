package trail

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

const alice, bob = 4711, 4712

// world makes directories and files of users, with links among them. Only root
// can.
func world(t *testing.T) (base string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can give a file to another user")
	}
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for dir := base; len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []struct {
		path string
		uid  int
		mode os.FileMode
	}{
		{"alice", alice, 0o755}, {"alice/app", alice, 0o755}, {"bob", bob, 0o750}, {"bob/open.txt", bob, 0o644}, {"bob/key.txt", bob, 0o640},
		{"alice/app/a.txt", alice, 0o600}, {"open", bob, 0o755}, {"open/key.txt", bob, 0o640}, {"open/all.txt", bob, 0o644},
	} {
		path := filepath.Join(base, f.path)
		err := os.WriteFile(path, []byte(f.path), 0o600)
		if filepath.Ext(path) == "" {
			os.Remove(path)
			err = os.Mkdir(path, 0o700)
		}
		if err = errors.Join(err, os.Chown(path, f.uid, f.uid), os.Chmod(path, f.mode)); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range []struct {
		name, to string
		uid      int
	}{
		{"current", "alice/app", alice}, {"alice/to-bob", "../bob", alice}, {"alice/abs", base + "/open/all.txt", alice}, {"alice/twice", "to-bob/key.txt", alice},
		{"roots", "bob", 0}, {"bob/back", "../alice/app", bob}, {"alice/there-and-back", "to-bob/back/a.txt", alice}, {"loop", "loop", alice}, {"none", "nothing", alice},
	} {
		path := filepath.Join(base, l.name)
		if err := errors.Join(os.Symlink(l.to, path), os.Lchown(path, l.uid, l.uid)); err != nil {
			t.Fatal(err)
		}
	}
	return base
}

func TestWhoLedWhere(t *testing.T) {
	t.Parallel()
	base := world(t)
	for _, c := range []struct {
		path, want       string
		links            []int
		public, straight bool
		readable         bool
	}{
		{"alice/app/a.txt", "alice/app/a.txt", nil, true, true, false},
		{"alice/./app//../app", "alice/app", nil, true, true, true},
		{"current/a.txt", "alice/app/a.txt", []int{alice}, true, false, false},
		{"alice/to-bob/open.txt", "bob/open.txt", []int{alice}, false, false, false},
		{"alice/abs", "open/all.txt", []int{alice}, true, false, true},
		{"open/key.txt", "open/key.txt", nil, true, true, false},
		{"alice/twice", "bob/key.txt", []int{alice}, false, false, false},
		{"roots/key.txt", "bob/key.txt", nil, false, false, false},
		{"alice/there-and-back", "alice/app/a.txt", []int{alice, bob}, false, false, false},
	} {
		got, err := Follow(filepath.Join(base, "/") + "/" + c.path)
		if err != nil {
			t.Errorf("%s: %v", c.path, err)
			continue
		}
		defer got.Close()
		if got.Path != filepath.Join(base, c.want) || !slices.Equal(got.Links, c.links) || got.Public != c.public || got.Straight != c.straight || got.ReadableByAll() != c.readable {
			t.Errorf("%s: got %s, links of %v, public %v, straight %v, readable %v; want %+v", c.path, got.Path, got.Links, got.Public, got.Straight, got.ReadableByAll(), c)
		}
	}
	for path, want := range map[string]error{"loop": unix.ELOOP, "none": unix.ENOENT, "alice/app/a.txt/x": unix.ENOTDIR} {
		if _, err := Follow(filepath.Join(base, path)); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", path, err, want)
		}
	}
}

// What a path leads to later does not matter to who has the trail.
func TestTrailsStayWhereTheyWere(t *testing.T) {
	t.Parallel()
	base := world(t)
	dir, err := Follow(filepath.Join(base, "alice/app"))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := errors.Join(os.Rename(base+"/alice/app", base+"/alice/was"), os.Symlink("/etc", base+"/alice/app")); err != nil {
		t.Fatal(err)
	}
	file, err := dir.Follow("a.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	fd, err := file.Open()
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "a.txt")
	defer f.Close()
	if b, err := io.ReadAll(f); err != nil || string(b) != "alice/app/a.txt" {
		t.Errorf("got %q, %v", b, err)
	}
	if _, err := dir.Follow("passwd"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("got %v", err)
	}
}
