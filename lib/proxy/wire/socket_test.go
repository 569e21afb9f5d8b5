package wire

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// socket returns a socket and its peer.
func socket(t *testing.T) (*Socket, *net.TCPConn) {
	t.Helper()
	nc, peer := pair(t)
	c := &Conn{ReadWait: long, WriteWait: long}
	if err := c.Open(nc, newClock(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.Socket(), peer
}

func TestTryReadDoesNotWait(t *testing.T) {
	t.Parallel()
	s, peer := socket(t)
	_, err := s.TryRead(make([]byte, 4))
	fails(t, "a read of nothing", err, syscall.EAGAIN)
	say(t, peer, "x")
	if got := hear(t, s.conn); got != "x" {
		t.Errorf("a later read, which waits, got %q", got)
	}
	say(t, peer, "y")
	var b [4]byte
	eventually(t, "it is there", func() bool { n, err := s.TryRead(b[:]); return n == 1 && err == nil })
	if n := s.ReadNow(b[:]); n != 0 || b[0] != 'y' {
		t.Errorf("%d bytes more came, after %q", n, b[:1])
	}
	peer.CloseWrite()
	eventually(t, "the end is there", func() bool { _, err := s.TryRead(b[:]); return err == io.EOF })
}

// TryWrite sends what the peer takes, and says how much that was.
func TestTryWriteDoesNotWait(t *testing.T) {
	t.Parallel()
	s, peer := socket(t)
	head, body := []byte("head"), bytes.Repeat([]byte{'b'}, 32<<20)
	n, err := s.TryWrite(head, body)
	fails(t, "a write of more than the peer takes", err, syscall.EAGAIN)
	if n <= len(head) || n >= len(body) || int64(n) != s.conn.Sent {
		t.Fatalf("wrote %d bytes and counted %d", n, s.conn.Sent)
	}
	got := make([]byte, n)
	if _, err := io.ReadFull(peer, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, append(head, body...)[:n]) {
		t.Error("the peer got other bytes")
	}
	if n, err := s.TryWrite(head, nil); n != len(head) || err != nil {
		t.Errorf("then it wrote %d, %v", n, err)
	}
}

func TestSendFile(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("0123456789abcdef"), 3*mostSent/16)
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		size int64
		want error
	}{
		"whole":       {int64(len(content)), nil},
		"was cut off": {int64(len(content)) + 1, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			s, peer := socket(t)
			got := make(chan []byte, 1)
			go func() {
				all, _ := io.ReadAll(peer)
				got <- all
			}()
			n, err := s.SendFile(int(f.Fd()), tt.size)
			fails(t, "sending", err, tt.want)
			s.conn.Close()
			if all := <-got; !bytes.Equal(all, content) || n != int64(len(content)) || s.conn.Sent != n {
				t.Errorf("the peer got %d bytes, %d were sent and %d counted, want %d", len(all), n, s.conn.Sent, len(content))
			}
		})
	}
}

// A file goes to a peer that reads nothing for no longer than the write wait.
func TestSendFileIsBounded(t *testing.T) {
	t.Parallel()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(64 << 20); err != nil {
		t.Fatal(err)
	}
	s, _ := socket(t)
	s.conn.WriteWait = short
	_, err = s.SendFile(int(f.Fd()), 64<<20)
	fails(t, "sending", err, ErrTimeout)
}
