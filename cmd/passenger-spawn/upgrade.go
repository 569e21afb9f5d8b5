package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"passenger/lib/account"
	"passenger/lib/cli"
	"passenger/lib/fdstore"
	"passenger/lib/proc"
	"passenger/lib/spawn"
	"passenger/lib/statedir"
	"passenger/lib/systemd"
)

// Names of what a spawner hands to its successor.
const (
	inheritedLock   = "lock"
	inheritedSocket = "socket"
	inheritedKeeper = "keeper"
)

const (
	// upgradePatience is how long starts under way may take before the
	// spawner replaces itself.
	upgradePatience = 30 * time.Second

	// versionPatience is how long the new program may take to say its version.
	versionPatience = 10 * time.Second
)

// errUpgrade is why a spawner stops serving that is to replace itself.
var errUpgrade = errors.New("upgrade")

// A station is what a spawner hands on when it replaces itself: the lock of its
// state directory, its control socket, the proxy's listening sockets, and the
// socket to which the proxy brings them.
type station struct {
	dir    statedir.Dir
	lock   *statedir.Lock
	socket *os.File
	keeper *os.File
	store  fdstore.Store

	manager *systemd.Manager
}

// takeStation takes over what a predecessor handed on. Without one it takes the
// lock and makes the sockets.
func takeStation(c *command, group *account.Group) (st *station, err error) {
	inherited := proc.Inherited()
	st = &station{store: fdstore.Store{GID: -1}}
	if group != nil {
		st.store.GID = group.GID
	}
	// A predecessor of another version may not have made all of the directory.
	if group != nil && os.Geteuid() == 0 {
		if _, err := statedir.Share(c.StatePath(), group.GID); err != nil {
			return nil, fmt.Errorf("cannot start: %w", err)
		}
	}
	if lock, socket := inherited[inheritedLock], inherited[inheritedSocket]; lock != nil && socket != nil {
		st.lock, st.socket = statedir.Adopted(lock), socket
		if st.dir, err = statedir.Open(c.StatePath()); err != nil {
			return nil, err
		}
		return st, st.adopt(inherited, group)
	}
	if st.dir, st.lock, err = c.TakeStateDir(statedir.Spawn); err != nil {
		return nil, err
	}
	l, err := cli.ListenControl(st.dir, statedir.Spawn, group)
	if err != nil {
		return nil, errors.Join(err, st.lock.Unlock())
	}
	defer l.Close()
	if st.socket, err = l.File(); err != nil {
		return nil, errors.Join(err, st.lock.Unlock())
	}
	if err := st.openKeeper(group); err != nil {
		return nil, errors.Join(err, st.lock.Unlock())
	}
	return st, nil
}

// listener returns a listener on one of the station's sockets, which stays open
// when that is closed.
func listener(socket *os.File) (*net.UnixListener, error) {
	l, err := net.FileListener(socket)
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", socket.Name(), err)
	}
	unix, ok := l.(*net.UnixListener)
	if !ok {
		l.Close()
		return nil, fmt.Errorf("socket %s: descriptor %d is not a unix socket", socket.Name(), socket.Fd())
	}
	unix.SetUnlinkOnClose(false)
	return unix, nil
}

// leave gives the station up.
func (st *station) leave() {
	_ = os.Remove(st.dir.Socket(statedir.Spawn)) // gone is fine
	_ = os.Remove(st.dir.KeptSockets())
	st.store.Close()
	st.keeper.Close()
	st.socket.Close()
	st.lock.Unlock()
}

// upgradeOnSignal returns a context that ends, with the cause errUpgrade, when
// SIGUSR2 has come, the program at its path is fit to take over and no start is
// under way.
func upgradeOnSignal(ctx context.Context, spawner *spawn.Spawner) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR2)
	go func() {
		defer signal.Stop(signals)
		for {
			select {
			case <-signals:
			case <-ctx.Done():
				return
			}
			version, err := fitProgram(ctx, spawner)
			if err != nil {
				slog.Error("upgrade refused; this spawner goes on", "err", err)
				continue
			}
			slog.Info("upgrade begins", "to", version)
			if n := spawner.Hold(ctx, upgradePatience); n > 0 {
				slog.Warn("starts under way are given up", "starts", n)
			}
			if n := spawner.Unrecorded(); n > 0 {
				slog.Error("upgrade refused; this spawner goes on", "err", fmt.Errorf("the records of %d processes could not be written, and the new spawner would end these", n))
				spawner.Resume()
				continue
			}
			cancel(errUpgrade)
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

// fitProgram returns the version of the program that would take over.
func fitProgram(ctx context.Context, spawner *spawn.Spawner) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, versionPatience)
	defer cancel()
	path, err := programPath()
	if err != nil {
		return "", err
	}
	out, err := spawner.Version(ctx, path)
	if err != nil {
		return "", err
	}
	version, found := strings.CutPrefix(out, "passenger-spawn ")
	if !found {
		return "", fmt.Errorf("%q is not passenger-spawn: --version says %q", path, out)
	}
	return version, nil
}

// programPath is where this program was started from. Another program may be there
// by now.
func programPath() (string, error) {
	path, err := exec.LookPath(os.Args[0])
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	return filepath.Abs(path)
}

// succeed replaces this program by the one at its path. It returns only if it
// cannot.
func (st *station) succeed() error {
	path, err := programPath()
	if err != nil {
		return err
	}
	files := map[string]*os.File{inheritedLock: st.lock.File(), inheritedSocket: st.socket, inheritedKeeper: st.keeper}
	release, err := st.handOn(files)
	if err != nil {
		return err
	}
	defer release()
	st.manager.PutBack()
	return proc.Succeed(path, files)
}
