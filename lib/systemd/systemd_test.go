package systemd

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// manager listens where a service reports.
func manager(t *testing.T) (*net.UnixConn, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "sd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return c, path
}

// read returns one message and how many descriptors came with it.
func read(t *testing.T, c *net.UnixConn) (string, int) {
	t.Helper()
	b, oob := make([]byte, 4096), make([]byte, 4096)
	n, oobn, _, _, err := c.ReadMsgUnix(b, oob)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := syscall.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, m := range messages {
		fds, err := syscall.ParseUnixRights(&m)
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range fds {
			count++
			syscall.Close(fd)
		}
	}
	return string(b[:n]), count
}

func TestServiceReports(t *testing.T) {
	c, path := manager(t)
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "20000")
	t.Setenv("WATCHDOG_PID", fmt.Sprint(os.Getpid()))
	m := Started()
	m.PutBack()
	if again := Started(); again.socket != path || again.watchdog != m.watchdog {
		t.Errorf("the next program finds %+v", again)
	}
	if v := os.Getenv("NOTIFY_SOCKET") + os.Getenv("WATCHDOG_USEC") + os.Getenv("WATCHDOG_PID"); v != "" {
		t.Errorf("what we start would report for us: %q", v)
	}
	m.Tell(Ready)
	if got, _ := read(t, c); got != "READY=1" {
		t.Errorf("got %q", got)
	}
	m.Reloading()
	var µs int64
	if got, _ := read(t, c); !strings.HasPrefix(got, "RELOADING=1\nMONOTONIC_USEC=") {
		t.Errorf("got %q", got)
	} else if _, err := fmt.Sscanf(got, "RELOADING=1\nMONOTONIC_USEC=%d", &µs); err != nil || µs <= 0 {
		t.Errorf("got %q, %v", got, err)
	}
	if err := m.Keep("kept-x", int(os.Stdin.Fd())); err != nil {
		t.Error(err)
	}
	if got, n := read(t, c); got != "FDSTORE=1\nFDNAME=kept-x" || n != 1 {
		t.Errorf("got %q with %d descriptors", got, n)
	}
	m.Forget("kept-x")
	if got, _ := read(t, c); got != "FDSTOREREMOVE=1\nFDNAME=kept-x" {
		t.Errorf("got %q", got)
	}
	ctx, stop := context.WithCancel(context.Background())
	asked, done := make(chan struct{}), make(chan struct{})
	go func() {
		m.Watch(ctx, func() { asked <- struct{}{} })
		close(done)
	}()
	for range 2 {
		<-asked
		if got, _ := read(t, c); got != "WATCHDOG=1" {
			t.Errorf("got %q", got)
		}
	}
	stop()
	select {
	case <-asked:
		<-done
	case <-done:
	}
}

func TestNobodyWantsReports(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "1")
	m := Started()
	if m != nil {
		t.Fatalf("got %+v", m)
	}
	m.Tell(Ready)
	m.Reloading()
	m.PutBack()
	m.Watch(context.Background(), func() { t.Error("asked") }) // returns
}

func TestAnothersWatchdogIsNotOurs(t *testing.T) {
	_, path := manager(t)
	for _, tt := range []struct {
		pid, usec string
		want      time.Duration
	}{
		{"", "30000000", 30 * time.Second},
		{fmt.Sprint(os.Getpid()), "1000", time.Millisecond},
		{"1", "30000000", 0},
		{"", "soon", 0},
		{"", "-1", 0},
		{"", "", 0},
	} {
		t.Setenv("NOTIFY_SOCKET", path)
		t.Setenv("WATCHDOG_PID", tt.pid)
		t.Setenv("WATCHDOG_USEC", tt.usec)
		if got := Started().watchdog; got != tt.want {
			t.Errorf("of pid %q, %q µs: got %v, want %v", tt.pid, tt.usec, got, tt.want)
		}
	}
}

func TestPassedSockets(t *testing.T) {
	pid := fmt.Sprint(os.Getpid())
	for _, tt := range []struct {
		pid, fds, names string
		want            []Socket
	}{
		{pid, "2", "web.socket:kept-x", []Socket{{3, "web.socket"}, {4, "kept-x"}}},
		{pid, "2", "", []Socket{{3, ""}, {4, ""}}},
		{pid, "1", "a:b", []Socket{{3, "a"}}},
		{pid, "0", "", nil},
		{pid, "many", "", nil},
		{"1", "2", "", nil},
		{"", "2", "", nil},
	} {
		t.Setenv("LISTEN_PID", tt.pid)
		t.Setenv("LISTEN_FDS", tt.fds)
		t.Setenv("LISTEN_FDNAMES", tt.names)
		if diff := cmp.Diff(tt.want, Sockets()); diff != "" {
			t.Errorf("%+v: %s", tt, diff)
		}
	}
}
