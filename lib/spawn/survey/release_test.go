package survey

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"passenger/lib/protocol"
	"passenger/lib/trail"
)

func find(path string) (Release, error) {
	t, err := trail.Follow(path)
	if err != nil {
		return Release{}, err
	}
	defer t.Close()
	return releaseOf(t), nil
}

func TestFindRelease(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "releases/1/app"), 0o700); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{
		"current": "releases/1", "absolute": filepath.Join(dir, "current/app"), "releases/up": "../current", "loop": "loop", "dangling": "none",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"releases/1", "current", "current/app", "absolute", "releases/up/app", "releases/../current/app", "."} {
		path = filepath.Join(dir, path)
		want, err := filepath.EvalSymlinks(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := find(path); err != nil || got.Path != want {
			t.Errorf("%s: got %+v, %v, want %s", path, got, err, want)
		}
	}
	for path, want := range map[string]error{"loop": syscall.ELOOP, "dangling": fs.ErrNotExist} {
		if _, err := find(filepath.Join(dir, path)); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", path, err, want)
		}
	}
	if os.Geteuid() != 0 {
		return
	}
	if err := os.Lchown(filepath.Join(dir, "current"), 5, 5); err != nil {
		t.Fatal(err)
	}
	got, err := find(filepath.Join(dir, "absolute"))
	if err != nil || !slices.Equal(got.Links, []int{5}) {
		t.Errorf("got %+v, %v, want the links of user 5", got, err)
	}
	if !got.RootFor(5).Foreign || got.RootFor(6).Foreign {
		t.Errorf("root's directory, by a link of user 5, is foreign to 5: %v, to 6: %v, want the first alone", got.RootFor(5).Foreign, got.RootFor(6).Foreign)
	}
	again := ReleaseOf(&protocol.Process{AppRoot: got.Path, Root: got.RootFor(5)}).RootFor(5)
	if again.Device != got.Device || again.Inode != got.Inode || !again.Foreign {
		t.Errorf("after an adoption: got %+v of %+v", again, got)
	}
	got.Owner = 5
	if got.RootFor(5).Foreign {
		t.Error("a directory of its own is foreign")
	}
}
