package files

import (
	"io"
	"syscall"
	"time"
)

// A Regular is an open regular file.
type Regular struct {
	FD       int // -1 once it is closed, or belongs to another owner
	Size     int64
	Modified time.Time
}

// look opens the regular file of a name, which ends in NUL.
func (t *Tree) look(name []byte) (f Regular, err error) {
	fd, err := t.open(name)
	if err != nil {
		return f, err
	}
	st, err := t.check(fd)
	f = Regular{FD: fd, Size: st.Size, Modified: time.Unix(st.Mtim.Sec, st.Mtim.Nsec)}
	if err != nil {
		f.Close()
	}
	return f, err
}

func (f *Regular) Close() {
	if f.FD >= 0 {
		_ = syscall.Close(f.FD) // it was only read
		f.FD = -1
	}
}

// ReadAt fills p. A file that was cut meanwhile is io.ErrUnexpectedEOF.
func (f *Regular) ReadAt(p []byte, at int64) error {
	for len(p) > 0 {
		n, err := syscall.Pread(f.FD, p, at)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return err
		case n == 0:
			return io.ErrUnexpectedEOF
		}
		p, at = p[n:], at+int64(n)
	}
	return nil
}
