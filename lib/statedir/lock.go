package statedir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrLocked says that another daemon of the kind holds the directory.
var ErrLocked = errors.New("held by another daemon")

// [Dir.Holder] has the lock for an instant, so a daemon that finds it taken tries
// again a few times.
const (
	holderRetries = 3
	holderPause   = 10 * time.Millisecond
)

// A Lock is held by a running daemon. Take it before unlinking a stale socket.
type Lock struct{ f *os.File }

// Lock takes the lock of a daemon. If another process holds it, the error is
// [ErrLocked] and names that process.
func (d Dir) Lock(daemon string) (*Lock, error) {
	path := filepath.Join(d.path, daemon+".lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	// In a directory that a group shares, another could have made it before.
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &st); err != nil || int(st.Uid) != os.Geteuid() {
		f.Close()
		return nil, fmt.Errorf("lock %s: it belongs to user %d, and this program runs as user %d; remove it if no daemon holds it", path, st.Uid, os.Geteuid())
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	for range holderRetries {
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			break
		}
		time.Sleep(holderPause)
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w (pid %s)", path, ErrLocked, holder(path))
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	l := &Lock{f: f}
	if err := l.Sign(); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return l, nil
}

// Sign writes who holds the lock into the file: the caller. The number is for
// people only; the flock decides.
func (l *Lock) Sign() error {
	if err := l.f.Truncate(0); err != nil {
		return err
	}
	_, err := l.f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// Unlock gives the lock up. The file stays: to remove it would race with the
// next holder.
func (l *Lock) Unlock() error { return l.f.Close() }

// File is the locked file, to be handed to a successor by execve.
func (l *Lock) File() *os.File { return l.f }

// Adopted makes a Lock of a file that a predecessor locked.
func Adopted(f *os.File) *Lock { return &Lock{f: f} }

// Holder returns the pid that the lock file of a daemon names, 0 if no process
// holds the lock.
func (d Dir) Holder(daemon string) int {
	path := filepath.Join(d.path, daemon+".lock")
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == nil {
		return 0
	}
	pid, _ := strconv.Atoi(holder(path)) // "unknown" is 0
	return pid
}

func holder(path string) string {
	b, err := os.ReadFile(path)
	if s := strings.TrimSpace(string(b)); err == nil && s != "" {
		return s
	}
	return "unknown"
}
