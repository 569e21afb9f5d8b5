package spawn

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"passenger/lib/app"
	"passenger/lib/protocol"
	"passenger/lib/spawn/survey"
)

// A start whose directory cannot be looked at ends in time, in the way of
// nobody: the first of its generation, and a later one.
func TestADirectoryThatHangs(t *testing.T) {
	t.Parallel()
	for name, found := range map[string]bool{"at the first start": false, "at a later one": true} {
		t.Run(name, func(t *testing.T) { t.Parallel(); testHang(t, found) })
	}
}

func testHang(t *testing.T, found bool) {
	s, _ := newSpawner(t, shortDir(t))
	config := appConfig("ready")
	config.Name, config.StartTimeout = hangs, 5
	if found {
		c := app.WithDefaults(config)
		f := survey.Findings{Release: survey.Release{Path: c.AppRoot}, Detection: app.Detection{Type: protocol.TypeGeneric, StartCommand: c.StartCommand}}
		s.generationLocked("app", 1).agree(survey.Question{Config: c}, f)
	}
	failed := make(chan error, 1)
	go func() {
		_, err := s.Spawn(t.Context(), request("hang0001", config))
		failed <- err
	}()
	eventually(t, "a look", func() bool {
		return countChildren(s) == 1
	})
	mustSpawn(t, s, "good0001", "ready") // while the other hangs
	var se *protocol.SpawnError
	if err := <-failed; !errors.As(err, &se) || se.Category != protocol.CategoryTimeout || !strings.Contains(se.Summary, "could not be looked at within 5s") {
		t.Errorf("got %v, want a timeout", err)
	}
	eventually(t, "one process, and no one that looks", func() bool {
		return countChildren(s) == 1
	})
}

// What keeps a reader waiting, or never ends, is no file of an app.
func TestFilesThatAreNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"package.json", "asgi.py", "app.js"} {
		if err := unix.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/dev/zero", filepath.Join(dir, "main.py")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"manage.py", "wsgi.py"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("# nothing\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(filepath.Join(dir, name), 64<<30); err != nil { // sparse
			t.Fatal(err)
		}
	}
	s, _ := newSpawner(t, shortDir(t))
	_, err := s.Spawn(t.Context(), request("none0001", protocol.AppConfig{Name: "none", AppRoot: dir, Environment: "production"}))
	var se *protocol.SpawnError
	if !errors.As(err, &se) || !strings.Contains(se.Summary, "holds no app of a known type") || !strings.Contains(se.Summary, "package.json: package.json is not a regular file") {
		t.Errorf("got %v, want no app", err)
	}
}

// Processes of a generation are of one release, and what looks is told of it.
func TestTheFirstProcessSettlesTheRelease(t *testing.T) {
	t.Parallel()
	c := protocol.AppConfig{Name: "shop", AppRoot: "/srv/shop/current"}
	one, two := survey.Findings{Release: survey.Release{Path: "/srv/shop/1"}}, survey.Findings{Release: survey.Release{Path: "/srv/shop/2"}}
	g := &generation{}
	if g.released(c.AppRoot) != nil || !g.agree(survey.Question{Config: c}, one) {
		t.Error("the first is refused")
	}
	if g.agree(survey.Question{Config: c}, two) {
		t.Error("another release, found at the same time, is taken")
	}
	known := g.released(c.AppRoot)
	if known == nil || known.Path != one.Release.Path {
		t.Errorf("got %v, want the first release", known)
	}
	if !g.agree(survey.Question{Config: c, Release: known}, one) {
		t.Error("the second process of the release is refused")
	}
	if g.released("/srv/shop/elsewhere") != nil {
		t.Error("other settings are the same release")
	}
}
