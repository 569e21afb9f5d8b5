package main

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"

	"passenger/lib/bug"
	"passenger/lib/systemd"
)

// An upgrade starts the program at this proxy's path anew, which then takes the
// sockets over as any second proxy on the state directory does. It is for
// service managers: what they would restart has to drain before the next may
// begin, and a drain takes as long as its slowest request.
type upgrade struct {
	manager *systemd.Manager
	running atomic.Bool
}

// passedOnce are the variables by which a service manager passes sockets, and
// names the process that it watches. They are for the first process of a
// service only.
var passedOnce = []string{"LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES=", "WATCHDOG_PID="}

// begin starts the successor, unless one is about to take over. One that ends
// before it did so changes nothing.
func (u *upgrade) begin(ctx context.Context) {
	if !u.running.CompareAndSwap(false, true) {
		slog.Warn("upgrade refused: another is under way")
		return
	}
	successor, err := u.start()
	if err != nil {
		u.running.Store(false)
		slog.Error("upgrade failed; this proxy goes on", "err", err)
		return
	}
	slog.Info("upgrade begins", "successor", successor.Process.Pid)
	bug.Go(func() {
		err := successor.Wait()
		u.running.Store(false)
		if ctx.Err() == nil {
			slog.Error("upgrade failed; this proxy goes on", "err", err)
		}
	})
}

func (u *upgrade) start() (*exec.Cmd, error) {
	path, err := exec.LookPath(os.Args[0])
	if err != nil {
		return nil, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	successor := exec.Command(path, os.Args[1:]...)
	for _, assignment := range append(os.Environ(), u.manager.Environment()...) {
		if !hasAnyPrefix(assignment, passedOnce) {
			successor.Env = append(successor.Env, assignment)
		}
	}
	successor.Stdout, successor.Stderr = os.Stdout, os.Stderr
	successor.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the one that the shell started
	return successor, successor.Start()
}

func hasAnyPrefix(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}
