package switching

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"passenger/lib/account"
)

// openRoots opens a file or directory that root alone can write, no symlink.
func openRoots(at int, path string, flags int) (*os.File, error) {
	fd, err := unix.Openat(at, path, flags|unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) {
		return nil, fmt.Errorf("%s is a symlink, or not what it should be: %w", path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	f := os.NewFile(uintptr(fd), path)
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	if err == nil && flags&unix.O_DIRECTORY == 0 && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = errors.New("is not a regular file")
	}
	if err == nil {
		err = rootsAlone(st, false)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s %w", path, err)
	}
	return f, nil
}

// rootsAlone says why not only root can write it.
func rootsAlone(st unix.Stat_t, writable bool) error {
	if st.Uid != 0 {
		return fmt.Errorf("belongs to user %s; only what is root's is believed: chown root", account.NameOf(int(st.Uid)))
	}
	if st.Mode&0o022 != 0 && !writable {
		return fmt.Errorf("has mode %04o: others may write it; chmod go-w", st.Mode&0o7777)
	}
	return nil
}
