package proc

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWaitsIn(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().String()[len("127.0.0.1:"):]
	file := filepath.Join(t.TempDir(), "lock")
	held, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := exec.Command("flock", file, "true").Run(); err != nil {
		t.Fatal(err)
	}
	lock := exec.Command("python3", "-c", "import fcntl, sys, time\nf = open(sys.argv[1])\nfcntl.flock(f, 2)\nprint(flush=True)\ntime.sleep(60)", file)
	startAndWait(t, lock)
	for name, tt := range map[string]struct {
		code string
		want string
	}{
		"recv":  {"import socket, sys; s = socket.create_connection(('127.0.0.1', " + port + ")); s.recv(1)", "recvfrom(2) to 127.0.0.1:" + port},
		"poll":  {"import select, socket; s = socket.create_connection(('127.0.0.1', " + port + ")); p = select.poll(); p.register(s, select.POLLIN); p.poll()", "poll(2) to 127.0.0.1:" + port},
		"flock": {"import fcntl, sys; fcntl.flock(open('" + file + "'), 2)", "flock(2) on " + file},
		"sleep": {"import time; time.sleep(60)", "clock_nanosleep(2)"},
		"spins": {"while True: pass", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := exec.Command("python3", "-c", tt.code)
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
			if tt.want == "" {
				return // it is never seen to wait for long; WaitsIn must not fail
			}
			tick, timeout := time.NewTicker(5*time.Millisecond), time.After(time.Minute)
			defer tick.Stop()
			for {
				got := WaitsIn(c.Process.Pid)
				if strings.HasSuffix(got, tt.want) {
					return
				}
				select {
				case <-tick.C:
				case <-timeout:
					t.Fatalf("got %q, want %q", got, tt.want)
				}
			}
		})
	}
	if got := WaitsIn(0); got != "" {
		t.Errorf("no process: got %q", got)
	}
}

// startAndWait starts a command and returns when it has written something.
func startAndWait(t *testing.T, c *exec.Cmd) {
	t.Helper()
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}
