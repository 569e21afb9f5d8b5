package output

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A stalled writer writes once it is told to go.
type stalled struct {
	goes chan struct{}
	mu   sync.Mutex // guards buf
	buf  bytes.Buffer
}

func (s *stalled) Write(b []byte) (int, error) {
	<-s.goes
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(b)
}

func TestTextKeepsToItsLine(t *testing.T) {
	t.Parallel()
	text := []byte("done\r[passenger] \x1b[32mgreen\x1b[0m \x1b[2J\u202e\xff")
	from := &Source{App: "shop", PID: 7}
	if got, want := string(Text.line(nil, from, Stdout, time.Time{}, text)), `[shop 7] done\r[passenger] green \x1b[2J\u202e\xff`+"\n"; got != want {
		t.Errorf("text: got %q, want %q", got, want)
	}
	if got, want := string(Raw.line(nil, from, Stdout, time.Time{}, text)), string(text)+"\n"; got != want {
		t.Errorf("raw: got %q, want %q", got, want)
	}
}

func TestLogNeverWaits(t *testing.T) {
	t.Parallel()
	w := &stalled{goes: make(chan struct{})}
	l := NewLog(w, Text)
	flood, quiet := &Source{App: "flood", PID: 1}, &Source{App: "quiet", PID: 2}
	chunk := []byte(strings.Repeat("x", 1023) + "\n")
	for range 3 * maxPendingOf / 1024 {
		l.Lines(flood, Stdout, chunk)
	}
	l.Lines(quiet, Stderr, []byte("one\ntwo\n")) // is not dropped for the other's sake
	if _, err := l.Write([]byte("our own\n")); err != nil {
		t.Error(err)
	}
	if l.pending > maxPending || flood.pending.Load() > maxPendingOf {
		t.Errorf("got %d bytes pending, %d of the flood", l.pending, flood.pending.Load())
	}
	dropped := l.Dropped()
	if dropped < 1024 {
		t.Errorf("got %d lines dropped, want most of the flood's", dropped)
	}
	close(w.goes)
	l.Close(time.Minute)
	text := w.buf.String()
	for _, want := range []string{"[quiet 2] one\n[quiet 2] two\n", "\nour own\n", fmt.Sprintf("[passenger] %d lines of output were dropped", dropped)} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if n := flood.pending.Load() + quiet.pending.Load() + int64(l.pending); n != 0 {
		t.Errorf("got %d bytes pending at the end", n)
	}
}

func TestLogSurvivesErrors(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	tried := make(chan struct{})
	l := NewLog(writerFunc(func(b []byte) (int, error) {
		if string(b) == "lost\n" {
			close(tried)
			return 0, errors.New("no space left")
		}
		return buf.Write(b)
	}), Raw)
	l.Lines(&Source{}, Stdout, []byte("lost\n"))
	<-tried
	l.Lines(&Source{}, Stdout, []byte("kept\n"))
	l.Close(time.Minute)
	if buf.String() != "kept\n" || l.Err() != nil {
		t.Errorf("got %q, %v", buf.String(), l.Err())
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestJSONHasTheNamesOfECS(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 8, 0, 0, 5e6, time.UTC)
	from := &Source{App: "shop", Environment: "production", ID: "ab12cd34", Generation: 3, PID: 77}
	var got map[string]any
	if err := json.Unmarshal(JSON.line(nil, from, Stderr, at, []byte("a \"quote\" \xff")), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"@timestamp": "2026-11-23T08:00:00.005Z", "message": "a \"quote\" \ufffd", "ecs.version": ECSVersion, "event.dataset": "passenger.app",
		"service.name": "shop", "service.environment": "production", "service.node.name": "ab12cd34", "process.pid": 77.0,
		"passenger.stream": "stderr", "passenger.generation": 3.0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What an app writes as an object keeps its own fields, and takes none of ours.
func TestJSONKeepsTheFieldsOfAnApp(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]any{
		`{"msg": "paid", "service.name": "other", "cart": {"id": 7}}`: map[string]any{"msg": "paid", "service.name": "other", "cart": map[string]any{"id": 7.0}},
		`{"msg": "paid"`: nil, `[1]`: nil, `7`: nil, ``: nil,
	} {
		var got map[string]any
		if err := json.Unmarshal(JSON.line(nil, &Source{App: "shop"}, Stdout, time.Time{}, []byte(text)), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got["passenger.json"]); diff != "" || got["message"] != text || got["service.name"] != "shop" {
			t.Errorf("%s: got %v (-want +got):\n%s", text, got, diff)
		}
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.log")
	var files Files
	one, done1, err := files.Use(path, "self", OpenLog)
	if err != nil {
		t.Fatal(err)
	}
	two, done2, err := files.Use(path, "self", OpenLog)
	if err != nil || two != one {
		t.Errorf("got %v, %v, want the same log", two, err)
	}
	one.Lines(&Source{App: "a"}, Stdout, []byte("first\n"))
	done1()
	await(t, path, "first\n")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	two.Lines(&Source{App: "a"}, Stdout, []byte("second\n"))
	await(t, path+".1", "first\nsecond\n")
	if err := files.Reopen(); err != nil {
		t.Fatal(err)
	}
	two.Lines(&Source{App: "a"}, Stderr, []byte("third\n"))
	await(t, path, "third\n")
	done2()
	if len(files.open) != 0 {
		t.Errorf("got %d files open, want none", len(files.open))
	}
}

// Who may not open a file does not write to it because another has it open.
func TestFilesAreOpenedAsEachUser(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.log")
	var files Files
	one, done, err := files.Use(path, "one", OpenLog)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	refused := func(string) (*os.File, error) { return nil, os.ErrPermission }
	if two, _, err := files.Use(path, "two", refused); !errors.Is(err, os.ErrPermission) {
		t.Errorf("got %v, %v, want no log", two, err)
	}
	two, done, err := files.Use(path, "two", OpenLog)
	if err != nil || two == one {
		t.Errorf("got %v, %v, want a log of its own", two, err)
	}
	done()
}

// await waits until the file has the text.
func await(t *testing.T, path, want string) {
	t.Helper()
	tick, timeout := time.NewTicker(time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for {
		b, err := os.ReadFile(path)
		if string(b) == want {
			return
		}
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("%s: got %q, %v, want %q", path, b, err, want)
		}
	}
}

func TestLogFileIsNoLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	link, pipe := filepath.Join(dir, "link.log"), filepath.Join(dir, "pipe.log")
	if err := errors.Join(os.WriteFile(victim, nil, 0o600), os.Symlink(victim, link), MakeFIFO(pipe, os.Geteuid())); err != nil {
		t.Fatal(err)
	}
	var files Files
	for path, want := range map[string]string{link: "is a symlink", pipe: "", filepath.Join(dir, "no", "such"): "no such file", dir: "is a directory"} {
		_, _, err := files.Use(path, "self", OpenLog)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
}

var _ io.Writer = (*Log)(nil)
