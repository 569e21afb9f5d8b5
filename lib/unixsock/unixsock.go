// Package unixsock listens on, dials and authenticates unix sockets.
package unixsock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
)

// MaxPath is the longest path that a socket can have, in bytes: sun_path of
// unix(7) less the NUL.
const MaxPath = 107

// Listen listens at path with the given mode. A socket already there is
// removed, so the caller holds the lock that says it is stale. Anything else
// at path is an error. The socket file stays when the listener is closed.
func Listen(path string, mode fs.FileMode) (*net.UnixListener, error) {
	return ListenFor(path, mode, -1)
}

// ListenFor listens as Listen does, and gives the socket to the group unless
// that is negative. It does so by name, so no other user may be able to change
// our entries of the directory.
func ListenFor(path string, mode fs.FileMode, gid int) (*net.UnixListener, error) {
	if len(path) > MaxPath {
		return nil, fmt.Errorf("socket path %q is %d bytes; the limit here is %d", path, len(path), MaxPath)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	// bind(2) gives the file the mode of the descriptor less the umask, so
	// that there is no moment in which more may connect.
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var chmod error
		err := c.Control(func(fd uintptr) { chmod = syscall.Fchmod(int(fd), uint32(mode.Perm())) })
		return errors.Join(err, chmod)
	}}
	listener, err := lc.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, errors.Unwrap(err))
	}
	l := listener.(*net.UnixListener)
	l.SetUnlinkOnClose(false)
	if gid >= 0 {
		err = os.Lchown(path, -1, gid)
	}
	if err == nil {
		err = os.Chmod(path, mode) // what the umask took away
	}
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return l, nil
}

func removeStale(path string) error {
	fi, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("listen on %s: %w", path, err)
	}
	if fi.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("listen on %s: something is there that is not a socket", path)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("listen on %s: remove stale socket: %w", path, err)
	}
	return nil
}
