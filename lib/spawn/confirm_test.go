package spawn

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Starts of a generation are planned by what the first found. What has changed
// since is found all the same.
func TestADirectoryThatChangesBetweenStarts(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "app")
	replace := func() (inode uint64) {
		if err := os.Rename(root, root+".was"); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if err := os.Mkdir(root, 0o755); err != nil {
			t.Fatal(err)
		}
		var st unix.Stat_t
		if err := unix.Stat(root, &st); err != nil {
			t.Fatal(err)
		}
		return st.Ino
	}
	s, _ := newSpawner(t, shortDir(t))
	config := appConfig("ready")
	config.AppRoot = root
	want := replace()
	for i, id := range []string{"first001", "again001", "moved001", "again002"} {
		if i == 2 {
			want = replace()
		}
		r, err := s.Spawn(t.Context(), request(id, config))
		if err != nil {
			t.Fatal(id, err)
		}
		if r.Root.Inode != want {
			t.Errorf("%s: the process is of directory %d, want %d", id, r.Root.Inode, want)
		}
	}
	if got := len(s.Processes().Get().Processes); got != 4 {
		t.Errorf("the list has %d processes, want 4: none of a start that began anew", got)
	}
}
