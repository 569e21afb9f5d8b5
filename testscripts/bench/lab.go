package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// A lab is where the servers run: a private directory, and the wish to leave
// nothing behind.
type lab struct {
	root   string // of the repository
	bin    string // the four programs
	commit string // that they were built from, if it is not git that knows
	dir    string // ours, below the system's temporary files
	load   load
	rounds int

	made int // directories made so far
}

func (l *lab) open() error {
	for _, p := range []*string{&l.root, &l.bin} {
		abs, err := filepath.Abs(*p)
		if err != nil {
			return err
		}
		*p = abs
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	l.dir = dir
	return nil
}

// close kills whatever still runs of what we started, which are our
// descendants by now, and removes the directory.
func (l *lab) close() {
	for range 100 {
		left := descendants(os.Getpid())
		if len(left) == 0 {
			break
		}
		for _, pid := range left {
			// A descendant's number cannot be a stranger's before we, or its
			// parent, have reaped it. An error means that it is gone.
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		reapAll()
		time.Sleep(20 * time.Millisecond)
	}
	if err := os.RemoveAll(l.dir); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
	}
}

// mkdir makes a directory for one server. Its path is short: sockets lie in it.
func (l *lab) mkdir() (string, error) {
	l.made++
	dir := filepath.Join(l.dir, fmt.Sprint(l.made))
	return dir, os.Mkdir(dir, 0o700)
}

// freePort returns a TCP port of 127.0.0.1 that nobody listens on.
func freePort() (string, error) {
	s, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer s.Close()
	_, port, err := net.SplitHostPort(s.Addr().String())
	return port, err
}

// app is the directory of one of our hello applications.
func (l *lab) app(name string) string { return filepath.Join(l.root, "testscripts/bench", name) }

// reapAll reaps the children that have ended. Only when no server is waited
// for any more.
func reapAll() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if pid <= 0 && err != syscall.EINTR {
			return
		}
	}
}
