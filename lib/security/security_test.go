package security

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// allowed are the types that the Elastic Common Schema 9.4 allows in the
// categories that we use.
var allowed = map[string][]string{
	"api":           {"access", "admin", "allowed", "change", "creation", "deletion", "denied", "end", "info", "start", "user"},
	"configuration": {"access", "change", "creation", "deletion", "info"},
	"file":          {"access", "change", "creation", "deletion", "info"},
	"network":       {"access", "allowed", "connection", "denied", "end", "info", "protocol", "start"},
	"process":       {"access", "change", "end", "info", "start"},
}

func TestEveryActionIsOfAKindThatTheSchemaAllows(t *testing.T) {
	t.Parallel()
	if len(Actions) != len(kinds) {
		t.Errorf("got %d actions and %d kinds", len(Actions), len(kinds))
	}
	for _, a := range Actions {
		k := a.Kind()
		if !slices.Contains(allowed[k.Category], k.Type) {
			t.Errorf("%s: category %q has no type %q", a, k.Category, k.Type)
		}
		if !slices.Contains([]string{"success", "failure", "unknown"}, k.Outcome) {
			t.Errorf("%s: got outcome %q", a, k.Outcome)
		}
	}
}

// lost is a security log on a full disk.
type lost struct{}

func (lost) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestEventsAndNothingElseAreCopied(t *testing.T) {
	t.Parallel()
	var log, events bytes.Buffer
	l := slog.New(Copy(slog.NewTextHandler(&log, nil), slog.NewTextHandler(&events, nil))).With("app", "shop").WithGroup("g")
	l.Info("process ready")
	l.Warn("call refused", "user.id", "7", CallRefused.Attr())
	if strings.Count(log.String(), "\n") != 2 || !strings.Contains(log.String(), "event=call-refused") {
		t.Errorf("got log %q, want both", log.String())
	}
	if got := events.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "app=shop g.user.id=7") {
		t.Errorf("got events %q, want the event with its facts", got)
	}
}

func TestLostEventIsTold(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	slog.New(Copy(slog.NewTextHandler(&log, nil), slog.NewTextHandler(lost{}, nil))).Warn("call refused", CallRefused.Attr())
	if got := log.String(); !strings.Contains(got, "call refused") || !strings.Contains(got, `err="no space left"`) {
		t.Errorf("got %q, want the event, and that it was not written", got)
	}
}

func TestFileIsAppendedToAndMayBeRenamed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "security.log")
	f := File(path)
	for _, line := range []string{"one\n", "two\n"} {
		if _, err := f.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("three\n")); err != nil {
		t.Fatal(err)
	}
	old, _ := os.ReadFile(path + ".1")
	now, _ := os.ReadFile(path)
	if string(old) != "one\ntwo\n" || string(now) != "three\n" {
		t.Errorf("got %q and %q", old, now)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm()&0o027 != 0 {
		t.Errorf("got %v, %v, want it closed to others", fi.Mode(), err)
	}
}

func TestFileThatAnotherUserCouldHaveChosenIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, err := range []error{
		os.WriteFile(path("real"), nil, 0o600), os.Symlink("real", path("link")), os.Mkdir(path("dir"), 0o700),
		os.WriteFile(path("one"), nil, 0o600), os.Link(path("one"), path("two")),
		os.WriteFile(path("foreign"), nil, 0o600), os.Mkdir(path("d"), 0o700), syscall.Mkfifo(path("fifo"), 0o600), os.Symlink("d", path("way")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	refused := map[string]string{
		"link": "is a symbolic link", "dir": "is a directory", "one": "has 2 names", "fifo": "is not a regular file", "missing/x": "no such file",
	}
	if os.Geteuid() == 0 {
		if err := errors.Join(os.Chown(path("foreign"), 54321, 0), os.Lchown(path("way"), 54321, 0)); err != nil {
			t.Fatal(err)
		}
		refused["foreign"], refused["way/x"] = "belongs to user 54321", "another user's symbolic link"
	}
	for name, want := range refused {
		if err := File(path(name)).Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
}
