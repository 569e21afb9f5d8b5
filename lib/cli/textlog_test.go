package cli

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/security"
)

func TestLooksOfTheTextLog(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 3, 4, 5, 0, time.Local)
	for _, tt := range []struct {
		look  look
		level slog.Level
		want  string
	}{
		{terminalLook, slog.LevelInfo, "03:04:05 INFO  process exited app=shop err=\"no \\u202edatabase\"\n"},
		{terminalLook, slog.LevelError, "03:04:05 ERROR process exited app=shop err=\"no \\u202edatabase\"\n"},
		{colourLook, slog.LevelWarn, "\x1b[2m03:04:05\x1b[0m \x1b[33mWARN \x1b[0m process exited app=shop err=\"no \\u202edatabase\"\n"},
		{journalLook, slog.LevelDebug, "<7>process exited app=shop err=\"no \\u202edatabase\"\n"},
		{journalLook, slog.LevelInfo, "<6>process exited app=shop err=\"no \\u202edatabase\"\n"},
		{journalLook, slog.LevelWarn, "<4>process exited app=shop err=\"no \\u202edatabase\"\n"},
		{journalLook, slog.LevelError, "<3>process exited app=shop err=\"no \\u202edatabase\"\n"},
	} {
		var b bytes.Buffer
		r := slog.NewRecord(at, tt.level, "process exited", 0)
		r.Add("app", "shop", "err", errors.New("no \u202edatabase"))
		if err := textHandler(&b, tt.look, slog.LevelDebug).Handle(t.Context(), r); err != nil || b.String() != tt.want {
			t.Errorf("look %d: got %q, %v, want %q", tt.look, b.String(), err, tt.want)
		}
	}
}

// Handlers made of one write to the same place, and keep attributes and groups.
func TestTerminalLogIsAHandler(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	l := slog.New(textHandler(&b, journalLook, slog.LevelInfo)).With("app", "shop").WithGroup("exit").With("status", 1)
	l.Info("gone", "signal", "TERM")
	l.Debug("not this")
	if got, want := b.String(), "<6>gone app=shop exit.status=1 exit.signal=TERM\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestJournalIsTheStreamThatSystemdConnected(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "stream"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	for stream, want := range map[string]bool{
		fmt.Sprintf("%d:%d", st.Dev, st.Ino): true, fmt.Sprintf("%d:%d", st.Dev, st.Ino+1): false, "": false, "9": false,
	} {
		if got := isJournal(f, stream); got != want {
			t.Errorf("%q: got %v", stream, got)
		}
	}
}

// An event has the fields of the Elastic Common Schema in JSON, its name in text.
func TestEventInTheLog(t *testing.T) {
	t.Parallel()
	r := slog.NewRecord(time.Time{}, slog.LevelWarn, "call refused", 0)
	r.Add(security.CallRefused.Attr(), "user.id", "7", "pid", 12, "path", "/v1/apps")
	var b bytes.Buffer
	if err := jsonHandler(&b, "passenger-pool", "passenger.security", slog.LevelInfo).Handle(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	want := `{"log.level":"warn","message":"call refused","ecs.version":"9.4.0","service.name":"passenger-pool","event.dataset":"passenger.security",` +
		`"event.kind":"event","event.category":["api"],"event.type":["denied"],"event.action":"call-refused","event.outcome":"failure",` +
		`"user.id":"7","process.pid":12,"passenger.path":"/v1/apps"}` + "\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
	b.Reset()
	if err := textHandler(&b, journalLook, slog.LevelInfo).Handle(t.Context(), r); err != nil || !strings.Contains(b.String(), "event=call-refused") {
		t.Errorf("got %q, %v", b.String(), err)
	}
}
