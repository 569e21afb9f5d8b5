package unixsock

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func short(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "us")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestListenReplacesAStaleSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(short(t), "s")
	for range 2 {
		l, err := Listen(path, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		fi, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := fi.Mode().Perm(); got != 0o600 {
			t.Errorf("mode: got %04o, want 0600", got)
		}
		l.Close() // the file stays, as after a crash
	}
}

func TestListenKeepsWhatIsNoSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(short(t), "s")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path, 0o600); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("got error %v, want one with %q", err, "not a socket")
	}
	if b, _ := os.ReadFile(path); string(b) != "mine" {
		t.Errorf("the file: got %q, want %q", b, "mine")
	}
}

func TestListenNamesThePathLimit(t *testing.T) {
	t.Parallel()
	dir := short(t)
	longest := filepath.Join(dir, strings.Repeat("x", MaxPath-len(dir)-1))
	l, err := Listen(longest, 0o600)
	if err != nil {
		t.Fatalf("a path of %d bytes: %v", len(longest), err)
	}
	l.Close()
	_, err = Listen(longest+"x", 0o600)
	if err == nil || !strings.Contains(err.Error(), "108 bytes; the limit here is 107") {
		t.Errorf("got error %v, want one that names both lengths", err)
	}
}

func TestPeerOfIsWhoConnected(t *testing.T) {
	t.Parallel()
	path := filepath.Join(short(t), "s")
	l, err := Listen(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, err := PeerOf(s)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Peer{PID: os.Getpid(), UID: os.Geteuid(), GID: os.Getegid()}); got.PID != want.PID || got.UID != want.UID || got.GID != want.GID {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
