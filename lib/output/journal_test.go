package output

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/systemd"
)

var shop = &Source{App: "shop", Environment: "production", ID: "ab12", Generation: 3, PID: 4121}

func TestLinesOfAppsHaveFieldsInTheJournal(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("/tmp", "journal") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "socket")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	journal, err := systemd.OpenJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	var own bytes.Buffer
	l := NewLog(&own, Text)
	l.ToJournal(journal)
	if _, err := l.Write([]byte("<6>process ready\n")); err != nil {
		t.Fatal(err)
	}
	l.Lines(shop, Stderr, []byte("one\n<3>it\x1b[31m burns\n"))
	l.Flush(time.Minute)
	var got []string
	for range 2 {
		b := make([]byte, 4096)
		if err := socket.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		n, err := socket.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(b[:n]))
	}
	const fields = "SYSLOG_IDENTIFIER=shop\nPASSENGER_APP=shop\nPASSENGER_PID=4121\nPASSENGER_STREAM=stderr\nPASSENGER_PROCESS=ab12\nPASSENGER_GENERATION=3\nPASSENGER_ENVIRONMENT=production\n"
	want := []string{"MESSAGE=one\nPRIORITY=6\n" + fields, "MESSAGE=it burns\nPRIORITY=3\n" + fields}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if own.String() != "<6>process ready\n" {
		t.Errorf("our own log: got %q", own.String())
	}
}

func TestALineLongerThanAnEntryIsSplit(t *testing.T) {
	t.Parallel()
	var whole string
	for _, e := range entries(shop, Stdout, bytes.Repeat([]byte("x"), 3*maxEntry+5)) {
		message, _, _ := strings.Cut(strings.TrimPrefix(string(e), "MESSAGE="), "\n")
		if len(message) > maxEntry {
			t.Errorf("got a message of %d bytes", len(message))
		}
		whole += message
	}
	if len(whole) != 3*maxEntry+5 {
		t.Errorf("got %d bytes in all", len(whole))
	}
}

// An app's words begin no field of their own.
func FuzzEntries(f *testing.F) {
	f.Add("shop", "a\nPRIORITY=0")
	f.Fuzz(func(t *testing.T, app, line string) {
		for _, e := range entries(&Source{App: app, PID: 1}, Stdout, []byte(line)) {
			if n := bytes.Count(e, []byte("\n")); n != 8 {
				t.Errorf("got %d fields in %q", n, e)
			}
		}
	})
}

type brokenJournal struct{}

func (brokenJournal) Write([]byte) (int, error) { return 0, errors.New("it is a test") }

// What the journal's socket does not take goes where our own log goes.
func TestWithoutAJournalLinesStayInTheLog(t *testing.T) {
	t.Parallel()
	var own bytes.Buffer
	l := NewLog(&own, Text)
	l.ToJournal(brokenJournal{})
	l.Lines(shop, Stderr, []byte("one\n"))
	l.Flush(time.Minute)
	if !strings.Contains(own.String(), "MESSAGE=one") {
		t.Errorf("got %q", own.String())
	}
}
