// Package trail follows a path and tells who chose where it leads.
//
// A program that may read more than the owner of a directory must not take that
// owner's word for what lies there: any name in it may be a symbolic link to
// another user's file, and may become one between a look and an opening. So a
// path is followed element by element, each held open while it is looked at, and
// what is found is used by its descriptor, never by its path again.
package trail

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links are followed, as many as the kernel
// follows.
const maxLinks = 40

// A Trail is what a path led to.
type Trail struct {
	File *os.File // good for opening beneath it and for Open, not for reading
	Stat unix.Stat_t

	// Path is the way without symbolic links, of a trail from the root of the
	// file system; else empty.
	Path string

	// Links are the users, other than root, whose symbolic links led there, each
	// once.
	Links []int

	// Public says that every user may walk the way; Straight that it has no
	// symbolic link.
	Public, Straight bool
}

// Follow follows an absolute path.
func Follow(path string) (*Trail, error) {
	t := &Trail{Straight: true}
	if err := t.follow(path); err != nil {
		return nil, fmt.Errorf("follow %s: %w", path, err)
	}
	return t, nil
}

// Follow follows a path from where t leads. Links are those of the new trail
// alone.
func (t *Trail) Follow(path string) (*Trail, error) {
	next := &Trail{Stat: t.Stat, Public: t.Public, Straight: true}
	fd, err := unix.FcntlInt(t.File.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	runtime.KeepAlive(t)
	if err != nil {
		return nil, fmt.Errorf("follow %s: %w", path, err)
	}
	next.File = os.NewFile(uintptr(fd), path)
	if err := next.follow(path); err != nil {
		next.Close()
		return nil, fmt.Errorf("follow %s: %w", path, err)
	}
	return next, nil
}

func (t *Trail) follow(path string) error {
	var rest []string
	for links := 0; ; links++ {
		if links > maxLinks {
			return unix.ELOOP
		}
		if t.File == nil || strings.HasPrefix(path, "/") {
			if err := t.start(); err != nil {
				return err
			}
		}
		rest = append(strings.Split(path, "/"), rest...)
		for path = ""; path == ""; rest = rest[1:] {
			if len(rest) == 0 {
				return nil
			}
			if rest[0] == "" || rest[0] == "." {
				continue
			}
			var err error
			if path, err = t.step(rest[0]); err != nil {
				return err
			}
		}
	}
}

// start goes to the root of the file system.
func (t *Trail) start() error {
	fd, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	t.Path, t.Public = "/", true
	return t.take(fd, "/")
}

// step goes one element on, or returns the target of the symbolic link that it
// is.
func (t *Trail) step(name string) (target string, err error) {
	fd, err := unix.Openat(int(t.File.Fd()), name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	runtime.KeepAlive(t)
	if err != nil {
		return "", err
	}
	public := t.Public && t.Stat.Mode&0o001 != 0
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return "", err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		t.Public = public
		if t.Path != "" {
			t.Path = filepath.Join(t.Path, name)
		}
		return "", t.take(fd, name)
	}
	defer unix.Close(fd)
	t.Public, t.Straight = public, false
	if uid := int(st.Uid); uid != 0 && !slices.Contains(t.Links, uid) {
		t.Links = append(t.Links, uid)
	}
	b := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", b)
	if err == nil && n == 0 {
		err = unix.ENOENT
	}
	return string(b[:n]), err
}

// take makes a descriptor the place that was reached.
func (t *Trail) take(fd int, name string) error {
	t.Close()
	t.File = os.NewFile(uintptr(fd), name)
	return unix.Fstat(fd, &t.Stat)
}

// Close closes what was found.
func (t *Trail) Close() {
	if t.File != nil {
		_ = t.File.Close() // nothing was written
	}
}

// Regular says that the trail leads to a regular file.
func (t *Trail) Regular() bool { return t.Stat.Mode&unix.S_IFMT == unix.S_IFREG }

// Open opens the very file that was found, for reading.
func (t *Trail) Open() (fd int, err error) {
	fd, err = unix.Open(t.reopened(), unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	runtime.KeepAlive(t)
	if err != nil {
		return -1, fmt.Errorf("open %s: %w", t.File.Name(), err)
	}
	return fd, nil
}

func (t *Trail) reopened() string { return "/proc/self/fd/" + strconv.Itoa(int(t.File.Fd())) }

// ReadableByAll says that every user may walk the way and read what it leads
// to. What /proc shows depends on who looks, so it is not for all.
func (t *Trail) ReadableByAll() bool {
	may := uint32(0o004)
	if t.Stat.Mode&unix.S_IFMT == unix.S_IFDIR {
		may = 0o001
	}
	var fs unix.Statfs_t
	return t.Public && t.Stat.Mode&may != 0 && unix.Fstatfs(int(t.File.Fd()), &fs) == nil && fs.Type != unix.PROC_SUPER_MAGIC
}

// ChosenBy says that all symbolic links on the way were made by root or by one
// of the users.
func (t *Trail) ChosenBy(users ...int) bool {
	return !slices.ContainsFunc(t.Links, func(uid int) bool { return !slices.Contains(users, uid) })
}

// Owner is the user that the file or directory belongs to.
func (t *Trail) Owner() int { return int(t.Stat.Uid) }
