package files

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Capistrano, and tools like it, put the releases of an app in a directory of
// their own, "releases", and what they have in common in another beside that,
// "shared", with links in each release to what is below it. So assets and
// uploads lie there, and a link may lead to where the release has them: from
// releases/1/public to shared/public, and to no other part.

// sharedPath is where the releases of an app have files in common with those
// of the name in the release at path, which is without symbolic links. ok is
// false if that is no such release.
func sharedPath(release, name string) (path string, ok bool) {
	releases := filepath.Dir(release)
	if filepath.Base(releases) != "releases" || name == "." {
		return "", false
	}
	return filepath.Join(filepath.Dir(releases), "shared", name), true
}

// lookShared opens the regular file of a name that a symbolic link leads out of
// t, if it leads to the shared files.
func (t *Tree) lookShared(shared *Tree, name []byte) (f Regular, err error) {
	path, err := t.resolve(name)
	if err != nil {
		return f, err
	}
	dir, err := os.Readlink(descriptorPath(int(shared.dir.Fd())))
	if err != nil {
		return f, err
	}
	inside, ok := below(dir, path)
	if !ok {
		return f, syscall.EXDEV
	}
	return shared.look(append([]byte(inside), 0))
}

// resolve is the path without symbolic links of what has a name, which ends in
// NUL. It may lie anywhere.
func (t *Tree) resolve(name []byte) (path string, err error) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_MAGICLINKS}
	fd, err := unix.Openat2(int(t.dir.Fd()), string(name[:len(name)-1]), &how)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	return os.Readlink(descriptorPath(fd))
}

func descriptorPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }
