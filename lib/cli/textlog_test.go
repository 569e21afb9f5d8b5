package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
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

// A field has the same type whatever the value is in Go, so that an index takes it.
func TestValuesInTheJSONLog(t *testing.T) {
	t.Parallel()
	r := slog.NewRecord(time.Time{}, slog.LevelError, "connection lost", 0)
	r.Add("client", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}, "took", 1500*time.Millisecond, "err", io.EOF, "process", "ab12", "expires", time.Unix(0, 0).UTC())
	var b bytes.Buffer
	if err := jsonHandler(&b, "passenger-proxy", "passenger.log", slog.LevelInfo).Handle(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	want := `"passenger.client":"127.0.0.1:80","passenger.took":1.5,"error.message":"EOF","passenger.process.id":"ab12","passenger.expires":"1970-01-01T00:00:00Z"}` + "\n"
	if !strings.HasSuffix(b.String(), want) {
		t.Errorf("got %s want %s at its end", b.String(), want)
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
