package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"passenger/lib/bug"
	"passenger/lib/proxy"
	"passenger/lib/systemd"
)

// An upgrade starts the program at this proxy's path anew, which then takes the
// sockets over as any second proxy on the state directory does. It is for
// service managers: what they would restart has to drain before the next may
// begin, and a drain takes as long as its slowest request.
type upgrade struct {
	manager *systemd.Manager
	args    []string      // how this program was started
	wait    time.Duration // for the successor to take over
	running atomic.Bool
	bounds  sync.WaitGroup
}

// upgradeWait is how long a successor may take to take over. One that hangs
// would keep every later one from its turn.
const upgradeWait = 30 * time.Second

// passedOnce are the variables by which a service manager passes sockets, and
// names the process that it watches. They are for the first process of a
// service only.
var passedOnce = []string{"LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES=", "WATCHDOG_PID="}

// begin starts the successor, unless one is about to take over. One that ends
// before it did so, or hangs, changes nothing; one that has not taken over when
// ctx ends, as this proxy stops, is stopped too.
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
	ended, stop := context.WithCancel(context.Background())
	u.bounds.Go(func() { u.bound(ctx, ended, successor.Process) })
	bug.Go(func() {
		defer u.running.Store(false)
		err := successor.Wait()
		stop()
		if ctx.Err() == nil {
			slog.Error("upgrade failed; this proxy goes on", "err", err)
		}
	})
}

// leave waits until the successor is told what becomes of it, once the context
// of begin has ended: a proxy that ends sooner leaves one that nothing stops.
func (u *upgrade) leave() { u.bounds.Wait() }

// bound ends a successor that takes too long, or that is not needed anymore. It
// returns when the successor has taken over or was told to end, or when ended
// is.
func (u *upgrade) bound(ctx, ended context.Context, successor *os.Process) {
	late := time.NewTimer(u.wait)
	defer late.Stop()
	select {
	case <-ended.Done():
	case <-ctx.Done():
		// Should it take over in this moment, it drains what it got.
		if !errors.Is(context.Cause(ctx), proxy.ErrHandedOver) {
			_ = syscall.Kill(-successor.Pid, syscall.SIGTERM) // gone is fine
		}
	case <-late.C:
		slog.Error("the successor did not take over in time, and is killed", "successor", successor.Pid, "seconds", u.wait.Seconds())
		_ = syscall.Kill(-successor.Pid, syscall.SIGKILL)
	}
}

func (u *upgrade) start() (*exec.Cmd, error) {
	path, err := exec.LookPath(u.args[0])
	if err != nil {
		return nil, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	successor := exec.Command(path, u.args[1:]...)
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
