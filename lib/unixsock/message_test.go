package unixsock

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// pair returns both ends of a connection.
func pair(t *testing.T) (a, b *net.UnixConn) {
	t.Helper()
	l, err := Listen(filepath.Join(short(t), "s"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	b, err = l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return c.(*net.UnixConn), b
}

func TestDescriptorsArriveWithTheirLine(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	for _, n := range []int{0, 1, MaxDescriptors} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		fds := make([]int, n)
		for i := range fds {
			fds[i] = int(w.Fd())
		}
		// Longer than a reader's first buffer, and than one piece of a stream.
		text := strings.Repeat("x", MaxMessage-1-n)
		sent := make(chan error, 1) // one sender
		go func() { sent <- Send(a, []byte(text), fds) }()
		line, got, err := Receive(b)
		if err != nil || string(line) != text || len(got) != n {
			t.Fatalf("%d descriptors: got %d bytes with %d, %v", n, len(line), len(got), err)
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
		w.Close()
		for _, fd := range got {
			if _, err := syscall.Write(fd, []byte{'!'}); err != nil {
				t.Errorf("a descriptor that arrived: %v", err)
			}
			if flags, _, _ := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0); flags&syscall.FD_CLOEXEC == 0 {
				t.Error("programs that we start would inherit it")
			}
		}
		CloseAll(got)
		if text, err := io.ReadAll(r); err != nil || len(text) != n { // ends once all are closed
			t.Errorf("got %q, %v", text, err)
		}
		r.Close()
	}
}

func TestReceiveRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, sent, want string }{
		{"nothing", "", "EOF"},
		{"half a line", "half", "EOF"},
		{"two lines", "one\ntwo\n", "more than a line"},
		{"a line and a half", "one\ntw", "more than a line"},
		{"too much", strings.Repeat("x", MaxMessage+1), "without a line feed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, b := pair(t)
			go func() {
				_, _ = io.WriteString(a, tt.sent) // the reader may have had enough
				a.Close()
			}()
			_, fds, err := Receive(b)
			if err == nil || !strings.Contains(err.Error(), tt.want) || fds != nil {
				t.Errorf("got %v, %v; want an error with %q", fds, err, tt.want)
			}
		})
	}
}

func TestSendNamesItsLimits(t *testing.T) {
	t.Parallel()
	a, _ := pair(t)
	if err := Send(a, bytes.Repeat([]byte{'x'}, MaxMessage), nil); err == nil || !strings.Contains(err.Error(), "65535") {
		t.Errorf("a long line: %v", err)
	}
	if err := Send(a, nil, make([]int, MaxDescriptors+1)); err == nil || !strings.Contains(err.Error(), "128") {
		t.Errorf("many descriptors: %v", err)
	}
}

// Descriptors of a message that is refused are closed.
func TestReceiveKeepsNothingOfWhatItRefuses(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, _, err := a.WriteMsgUnix([]byte("half"), syscall.UnixRights(int(w.Fd())), nil); err != nil {
		t.Fatal(err)
	}
	w.Close()
	a.Close()
	if _, _, err := Receive(b); err == nil {
		t.Fatal("half a line was taken")
	}
	if text, err := io.ReadAll(r); err != nil || len(text) != 0 { // ends once the descriptor is closed
		t.Errorf("got %q, %v", text, err)
	}
}

func TestTrusted(t *testing.T) {
	t.Parallel()
	self := os.Geteuid()
	for _, tt := range []struct {
		name string
		peer Peer
		gid  int
		want bool
	}{
		{"root", Peer{UID: 0, GID: 0}, -1, true},
		{"ourselves", Peer{UID: self, GID: 7}, -1, true},
		{"a stranger", Peer{UID: self + 1, GID: 7}, -1, false},
		{"a stranger of another group", Peer{UID: self + 1, GID: 7, Groups: []int{8, 9}}, 10, false},
		{"by the primary group", Peer{UID: self + 1, GID: 7}, 7, true},
		{"by another group", Peer{UID: self + 1, GID: 7, Groups: []int{8, 9}}, 9, true},
	} {
		if got := tt.peer.Trusted(tt.gid); got != tt.want {
			t.Errorf("%s: got %v", tt.name, got)
		}
	}
}
