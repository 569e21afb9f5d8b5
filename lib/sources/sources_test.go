package sources

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// write writes a file at a moment of its own, so that no clock has to move on.
func write(t *testing.T, dir, name string, at int64) {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(p, time.Time{}, time.Unix(at, 0)); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsLookedAt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "app.py", 1)
	write(t, dir, "lib/old.rb", 1)
	tree := &Tree{Dir: dir, Ignored: []string{"mine"}}
	if got, complete := tree.Look(); got != nil || !complete {
		t.Errorf("got %q, %v of the first look", got, complete)
	}
	if got, _ := tree.Look(); got != nil {
		t.Errorf("got %q, and nothing changed", got)
	}
	if err := os.Remove(filepath.Join(dir, "lib/old.rb")); err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]int64{
		"app.py": 2, "lib/new.rb": 1, "views/a.erb": 1, ".env": 1, // these count
		"app.pyc": 1, "app.py~": 1, ".app.py.swp": 1, "db.sqlite3": 1, "a.log": 1,
		"node_modules/a.js": 1, "tmp/a.py": 1, ".git/a.py": 1, "public/a.js": 1, "x/__pycache__/a.py": 1, "mine/a.py": 1,
	} {
		write(t, dir, name, at)
	}
	got, _ := tree.Look()
	if diff := cmp.Diff([]string{".env", "app.py", "lib/new.rb", "lib/old.rb", "views/a.erb"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got, _ := (&Tree{Dir: filepath.Join(dir, "none")}).Look(); got != nil {
		t.Errorf("got %q of a directory that is not there", got)
	}
	only := &Tree{Dir: dir, Patterns: []string{"*.log"}}
	only.Look()
	write(t, dir, "a.log", 2)
	write(t, dir, "app.py", 3)
	if got, _ := only.Look(); !cmp.Equal(got, []string{"a.log"}) {
		t.Errorf("got %q for a pattern", got)
	}
}

// A checkout that takes a while is one change.
func TestSettledWaitsUntilNothingMoreChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree := &Tree{Dir: dir}
	for i, name := range []string{"", "b.rb", "a.rb", "b.rb"} {
		if name != "" {
			write(t, dir, name, int64(i))
		}
		if got := tree.Settled(); got != nil {
			t.Errorf("got %q while it goes on", got)
		}
	}
	if got := tree.Settled(); !cmp.Equal(got, []string{"a.rb", "b.rb"}) {
		t.Errorf("got %q", got)
	}
	if got := tree.Settled(); got != nil {
		t.Errorf("got %q, and nothing changed", got)
	}
}

func TestAFileThatIsWrittenAllTheTimeIsTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree := &Tree{Dir: dir}
	tree.Look()
	for i := range mostLooks + 1 {
		write(t, dir, "a.json", int64(i))
		if tree.Settled() != nil {
			return
		}
	}
	t.Errorf("got nothing after %d looks", mostLooks+1)
}
