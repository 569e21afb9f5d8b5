package spawn

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"passenger/lib/app"
	"passenger/lib/protocol"
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

// A hunch holds while whose the files are and what they make of the app stay.
func TestHunches(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(t *testing.T, root string)
		want   bool
	}{
		"nothing": {func(*testing.T, string) {}, true},
		"a file of no meaning": {func(t *testing.T, root string) {
			write(t, filepath.Join(root, "readme"), "", 0o755)
		}, true},
		"the app's type": {func(t *testing.T, root string) {
			write(t, filepath.Join(root, "config.ru"), "run App", 0o644)
		}, false},
		"the interpreter": {func(t *testing.T, root string) {
			if err := os.MkdirAll(filepath.Join(root, ".venv", "bin"), 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(root, ".venv", "bin", "python"), "", 0o755)
		}, false},
		"no startup file": {func(t *testing.T, root string) {
			if err := os.Remove(filepath.Join(root, "passenger_wsgi.py")); err != nil {
				t.Fatal(err)
			}
		}, false},
		"another owner of the startup file": {func(t *testing.T, root string) {
			if err := os.Chown(filepath.Join(root, "passenger_wsgi.py"), 4711, -1); err != nil {
				t.Skip(err)
			}
		}, false},
		"another owner of the directory": {func(t *testing.T, root string) {
			if err := os.Chown(root, 4711, -1); err != nil {
				t.Skip(err)
			}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			write(t, filepath.Join(root, "passenger_wsgi.py"), "application = None", 0o644)
			q := survey{Config: app.WithDefaults(protocol.AppConfig{Name: "shop", AppRoot: root})}
			f, err := q.look()
			if err != nil {
				t.Fatal(err)
			}
			h, err := hunchOf(q, f)
			if err != nil {
				t.Fatal(err)
			}
			tt.change(t, root)
			if got := h.holds(); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
