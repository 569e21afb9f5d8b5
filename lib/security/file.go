package security

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"passenger/lib/trail"
)

// A File is the path of a security log. Events are rare, so each opens the file
// anew: it may be renamed, as logrotate(8) does, and nobody need be told.
type File string

// Write appends one event in a single write(2), so that those of several
// daemons of one user may share the file.
func (path File) Write(line []byte) (int, error) {
	f, err := path.open()
	if err != nil {
		return 0, err
	}
	n, err := f.Write(line)
	return n, errors.Join(err, f.Close())
}

// Check says why events cannot be written.
func (path File) Check() error {
	f, err := path.open()
	if err != nil {
		return err
	}
	return f.Close()
}

// open opens the file to append to. A daemon that runs as root must not be led
// by another user to a file that is none of ours: whoever made a symbolic link
// on the way is root or us, and so is the owner of the file, which has one name.
func (path File) open() (*os.File, error) {
	dir, err := filepath.Abs(filepath.Dir(string(path)))
	if err != nil {
		return nil, fmt.Errorf("security log %q: %w", path, err)
	}
	t, err := trail.Follow(dir)
	if err != nil {
		return nil, fmt.Errorf("security log %q: %w", path, err)
	}
	defer t.Close()
	if !t.ChosenBy(os.Geteuid()) {
		return nil, fmt.Errorf("security log %q: another user's symbolic link leads there; name the directory without it", path)
	}
	name := filepath.Join(fmt.Sprintf("/proc/self/fd/%d", t.File.Fd()), filepath.Base(string(path)))
	// O_NONBLOCK, so that a FIFO in its place does not keep us.
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o640)
	var pe *os.PathError
	switch {
	case errors.Is(err, unix.ELOOP):
		return nil, fmt.Errorf("security log %q is a symbolic link; name the file itself", path)
	case errors.Is(err, unix.ENXIO): // a FIFO that nobody reads, or a socket
		return nil, fmt.Errorf("security log %q is not a regular file", path)
	case errors.As(err, &pe):
		return nil, fmt.Errorf("security log %q: %w", path, pe.Err)
	case err != nil:
		return nil, fmt.Errorf("security log %q: %w", path, err)
	}
	if err := ours(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("security log %q %w", path, err)
	}
	return f, nil
}

func ours(f *os.File) error {
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	switch {
	case st.Mode&syscall.S_IFMT != syscall.S_IFREG:
		return errors.New("is not a regular file")
	case int(st.Uid) != os.Geteuid():
		return fmt.Errorf("belongs to user %d, and this program runs as user %d; give each user's daemons a file of their own", st.Uid, os.Geteuid())
	case st.Nlink != 1:
		return fmt.Errorf("has %d names; it must have one", st.Nlink)
	}
	return nil
}
