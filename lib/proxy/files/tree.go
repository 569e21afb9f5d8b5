package files

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"passenger/lib/trail"
)

// A Tree is a directory whose regular files are opened beneath it: neither
// ".." nor a symbolic link leads out of it.
type Tree struct {
	path string
	dir  *os.File // only good for opening beneath it

	way *trail.Trail // that led there
	limits
}

// OpenTree opens the directory at a place, to which symbolic links may lead.
func OpenTree(p Place, now time.Time) (*Tree, error) {
	way, l, err := p.find(now)
	if err != nil {
		return nil, err
	}
	if way.Stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		way.Close()
		return nil, &os.PathError{Op: "open", Path: p.Path, Err: unix.ENOTDIR}
	}
	return &Tree{path: p.Path, dir: way.File, way: way, limits: l}, nil
}

// same says that another tree is of the same directory, with the same owner.
func (t *Tree) same(u *Tree) bool {
	return t.way.Stat.Dev == u.way.Stat.Dev && t.way.Stat.Ino == u.way.Stat.Ino && t.way.Stat.Uid == u.way.Stat.Uid
}

// Close closes the tree. One that requests may still use is left to the
// garbage collector instead.
func (t *Tree) Close() { _ = t.dir.Close() } // nothing was written

// errIrregular says that a name is that of a directory or device.
var errIrregular = errors.New("not a regular file")

// OpenFile opens the regular file of a name. The error is syscall.EXDEV for one
// that a symbolic link leads out of the tree.
func (t *Tree) OpenFile(name string) (*os.File, os.FileInfo, error) {
	fd, err := t.open(append([]byte(name), 0))
	if err != nil {
		return nil, nil, fmt.Errorf("open %q below %q: %w", name, t.path, err)
	}
	f := os.NewFile(uintptr(fd), name)
	info, err := f.Stat()
	if err == nil {
		_, err = t.check(fd)
	}
	if err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("open %q below %q: %w", name, t.path, err)
	}
	return f, info, nil
}

// check says why what is open may not be sent.
func (t *Tree) check(fd int) (st unix.Stat_t, err error) {
	switch err = unix.Fstat(fd, &st); {
	case err != nil:
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		err = errIrregular
	case !t.allows(fd, st, t):
		err = errOthers
	}
	return st, err
}

// public says that every user may go from the tree to the file, and read it.
func (t *Tree) public(fd int, st unix.Stat_t) bool {
	dir, err1 := os.Readlink(descriptorPath(int(t.dir.Fd())))
	path, err2 := os.Readlink(descriptorPath(fd))
	name, ok := below(dir, path)
	if err1 != nil || err2 != nil || !ok {
		return false
	}
	way, err := t.way.Follow(name)
	if err != nil {
		return false
	}
	defer way.Close()
	return way.Straight && way.ReadableByAll() && way.Stat.Dev == st.Dev && way.Stat.Ino == st.Ino
}

// raceAttempts is how often an opening is tried that met a renaming.
const raceAttempts = 8

// open opens what has a name, which ends in NUL, whatever it is, and returns
// its descriptor.
func (t *Tree) open(name []byte) (fd int, err error) {
	// Without O_NONBLOCK a FIFO would wait for its writer.
	const flags = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY
	how := unix.OpenHow{Flags: flags, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS}
	for attempt := 1; ; attempt++ {
		n, _, errno := syscall.Syscall6(unix.SYS_OPENAT2, t.dir.Fd(), uintptr(unsafe.Pointer(unsafe.SliceData(name))),
			uintptr(unsafe.Pointer(&how)), unix.SizeofOpenHow, 0, 0)
		runtime.KeepAlive(t)
		switch {
		case errno == 0:
			return int(n), nil
		case errno == unix.EINTR, errno == unix.EAGAIN && attempt < raceAttempts:
		case errno == unix.ENOSYS, errno == unix.EPERM:
			// A kernel before 5.6, or a sandbox that does not know the call.
			return t.walk(string(name[:len(name)-1]))
		default:
			return -1, errno
		}
	}
}

// walk is open without openat2.
func (t *Tree) walk(name string) (fd int, err error) {
	root, err := os.OpenRoot(descriptorPath(int(t.dir.Fd())))
	if err != nil {
		return -1, err
	}
	defer root.Close()
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		var errno syscall.Errno
		if errors.As(err, &errno) {
			return -1, errno
		}
		return -1, syscall.EXDEV // only this has no number
	}
	defer f.Close()
	return unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
}
