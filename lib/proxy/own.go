package proxy

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A place is a file or directory of an app, and the app's directory if it lies
// below that, else empty.
type place struct{ root, path string }

// placeOf is the place of a path for an app whose directory is root.
func placeOf(root, path string) place {
	if _, ok := below(root, path); !ok {
		root = ""
	}
	return place{root, path}
}

// below returns path relative to root, if it lies there by its name.
func below(root, path string) (name string, ok bool) {
	if root == "" {
		return "", false
	}
	name, err := filepath.Rel(root, path)
	return name, err == nil && name != ".." && !strings.HasPrefix(name, "../")
}

// open opens the place, read-only and without waiting, with further flags.
//
// We may be able to read what the app's user may not, who can put links in the
// app's directory: a link leads out of that only to what has the same owner.
func (p place) open(flags int) (*os.File, error) {
	// Without O_NONBLOCK a FIFO would wait for its writer.
	f, err := os.OpenFile(p.path, flags|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil || p.root == "" {
		return f, err
	}
	root, err := os.OpenFile(p.root, unix.O_PATH|syscall.O_DIRECTORY, 0)
	if err != nil {
		f.Close()
		return nil, err
	}
	defer root.Close()
	if owner(f) == owner(root) || lies(f, root) {
		return f, nil
	}
	f.Close()
	return nil, fmt.Errorf("open %s: a symbolic link leads out of %s, to what belongs to another user", p.path, p.root)
}

// owner is the user that a file belongs to, -1 if nobody knows.
func owner(f *os.File) int64 {
	var st syscall.Stat_t
	if syscall.Fstat(int(f.Fd()), &st) != nil {
		return -1
	}
	return int64(st.Uid)
}

// lies says that the file is below the directory.
func lies(f, dir *os.File) bool {
	path, err1 := os.Readlink(descriptorPath(int(f.Fd())))
	root, err2 := os.Readlink(descriptorPath(int(dir.Fd())))
	_, ok := below(root, path)
	return err1 == nil && err2 == nil && ok
}
