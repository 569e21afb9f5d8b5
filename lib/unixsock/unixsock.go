// Package unixsock listens on, dials and authenticates unix sockets.
package unixsock

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
)

// MaxPath is the longest path that a socket can have, in bytes: sun_path of
// unix(7) less the NUL.
const MaxPath = 107

// Listen listens at path with the given mode. A socket already there is
// removed, so the caller holds the lock that says it is stale. Anything else
// at path is an error. The socket file stays when the listener is closed.
func Listen(path string, mode fs.FileMode) (*net.UnixListener, error) {
	if len(path) > MaxPath {
		return nil, fmt.Errorf("socket path %q is %d bytes; the limit here is %d", path, len(path), MaxPath)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	// Bound under a private name first: between bind and chmod the socket
	// would have the mode that the umask leaves.
	tmp := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%d", os.Getpid()))
	if len(tmp) > MaxPath {
		tmp = path
	}
	if err := removeStale(tmp); err != nil {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: tmp, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, errors.Unwrap(err))
	}
	l.SetUnlinkOnClose(false)
	if err := os.Chmod(tmp, mode); err != nil {
		l.Close()
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	if tmp != path {
		if err := os.Rename(tmp, path); err != nil {
			l.Close()
			return nil, fmt.Errorf("listen on %s: %w", path, err)
		}
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
