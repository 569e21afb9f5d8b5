// Package statedir knows where the files of the state directory lie and how
// they change. passenger-statedir(5) describes them for people.
//
// Everything in the directory can be rebuilt: with all daemons and processes
// down it may be deleted. It is private to the user that owns it.
package statedir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"passenger/lib/unixsock"
)

// Names of the daemons, as in their sockets and locks.
const (
	Spawn = "spawn"
	Pool  = "pool"
	Proxy = "proxy"
)

// longestSocket is the longest socket path below the directory, with an ID of
// the greatest length.
const longestSocket = "processes/0123456789abcdef/app.sock"

// A Dir is a state directory.
type Dir struct{ path string }

// Default returns the directory used when none is named:
// $PASSENGER_STATE_DIR, else /run/passenger for root, else
// $XDG_RUNTIME_DIR/passenger, else passenger-UID beside the system's temporary
// files.
func Default() string {
	if p := os.Getenv("PASSENGER_STATE_DIR"); p != "" {
		return p
	}
	if os.Getuid() == 0 {
		return "/run/passenger"
	}
	if p := os.Getenv("XDG_RUNTIME_DIR"); p != "" {
		return filepath.Join(p, "passenger")
	}
	return filepath.Join(os.TempDir(), "passenger-"+strconv.Itoa(os.Getuid()))
}

// At returns the directory at path without looking at it: for readers.
func At(path string) Dir { return Dir{path: filepath.Clean(path)} }

// subdirectories are made with the directory. What daemons of a group share is
// the sticky group's; the others are for their maker alone, and may be
// traversed.
var subdirectories = []struct {
	name         string
	mode, shared uint32
}{
	{"apps", 0o700, 0o1770}, {"processes", 0o700, 0o710}, {"preloaders", 0o700, 0o700}, {notify, 0o700, throughMode},
}

// notify is the directory of the sockets on which processes report that they
// are ready.
const notify = "notify"

// throughMode is the mode of a directory that every user may traverse, and only
// its owner may list or change.
const throughMode = 0o711

// sharedMode is the mode of a directory that daemons of a group share: in it
// each changes only its own files, and every user may reach what is below by
// name.
const sharedMode = 0o1771

// Open makes the directory if it is missing, mode 0700, and checks that it is
// ours to use: a directory, not a symlink; owned by us and writable by no other
// user, or root's and shared with a group of ours; its path short enough for the
// sockets in it. It makes no parents.
func Open(path string) (Dir, error) {
	d, err := makeSelf(path)
	if err != nil {
		return Dir{}, err
	}
	shared, err := check(d.path)
	if err != nil {
		return Dir{}, err
	}
	for _, sub := range subdirectories {
		if shared {
			break // the spawner that shares it has made them
		}
		if err := os.Mkdir(filepath.Join(d.path, sub.name), os.FileMode(sub.mode)); err != nil && !errors.Is(err, fs.ErrExist) {
			return Dir{}, fmt.Errorf("make state directory: %w", err)
		}
	}
	return d, nil
}

// Share opens the directory for a spawner that is root, and shares it with the
// daemons of a group: they may keep files of their own in it, connect to what
// is the group's, and change nothing of ours.
func Share(path string, gid int) (Dir, error) {
	d, err := makeSelf(path)
	if err != nil {
		return Dir{}, err
	}
	if err := share(d.path, gid, sharedMode); err != nil {
		return Dir{}, err
	}
	for _, sub := range subdirectories {
		path := filepath.Join(d.path, sub.name)
		if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return Dir{}, fmt.Errorf("make state directory: %w", err)
		}
		if err := share(path, gid, sub.shared); err != nil {
			return Dir{}, err
		}
	}
	return d, nil
}

// LetThrough lets every user reach what is in the directory by name, so that
// apps that run as other users get to their adapters and notify sockets. A shared
// directory lets them through anyhow, and stays as it is.
func (d Dir) LetThrough() error {
	if shared, err := check(d.path); shared || err != nil {
		return err
	}
	return errors.Join(share(d.path, -1, throughMode), share(d.NotifySockets(), -1, throughMode))
}

// share gives a directory that is ours to the group, unless that is negative.
// It works on a descriptor: the name could become another's in between.
func share(path string, gid int, mode uint32) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return fmt.Errorf("share state directory: %w", err)
	}
	defer f.Close()
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
		return fmt.Errorf("share state directory %q: %w", path, err)
	}
	if int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("state directory %q belongs to user %d, and this program runs as user %d", path, st.Uid, os.Geteuid())
	}
	err = errors.Join(syscall.Fchown(int(f.Fd()), -1, gid), syscall.Fchmod(int(f.Fd()), mode))
	if err != nil {
		return fmt.Errorf("share state directory %q with group %d: %w", path, gid, err)
	}
	return nil
}

// makeSelf makes the directory itself.
func makeSelf(path string) (Dir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Dir{}, fmt.Errorf("state directory %q: %w", path, err)
	}
	if n := len(filepath.Join(path, longestSocket)); n > unixsock.MaxPath {
		return Dir{}, fmt.Errorf("state directory %q is %d bytes long; a socket path in it would have %d, and the limit here is %d",
			path, len(path), n, unixsock.MaxPath)
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return Dir{}, fmt.Errorf("make state directory: %w", err)
	}
	return Dir{path: path}, nil
}

// check says why a directory is not ours to use, else whether it is shared
// with us.
func check(path string) (shared bool, err error) {
	fi, err := os.Lstat(path)
	if err != nil {
		return false, fmt.Errorf("state directory: %w", err)
	}
	if !fi.IsDir() {
		return false, fmt.Errorf("state directory %q is not a directory but a %s", path, kind(fi.Mode()))
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return false, fmt.Errorf("state directory %q: the system does not say whose it is", path)
	}
	shared = st.Uid == 0 && st.Mode&0o7777 == sharedMode
	switch {
	case shared && (os.Geteuid() == 0 || inGroup(int(st.Gid))):
	case shared:
		return false, fmt.Errorf("state directory %q is shared with group %d, in which user %d is not", path, st.Gid, os.Geteuid())
	case int(st.Uid) != os.Geteuid():
		return false, fmt.Errorf("state directory %q belongs to user %d, and this program runs as user %d", path, st.Uid, os.Geteuid())
	case fi.Mode().Perm()&0o022 != 0:
		return false, fmt.Errorf("state directory %q has mode %04o: others may write to it", path, fi.Mode().Perm())
	}
	// Only an attempt tells for sure: a mode says nothing about a read-only
	// file system.
	f, err := os.CreateTemp(path, ".writable-")
	if err != nil {
		return false, fmt.Errorf("state directory is not writable: %w", err)
	}
	f.Close()
	return shared, os.Remove(f.Name())
}

func inGroup(gid int) bool {
	groups, _ := os.Getgroups() // without, only the primary one counts
	return gid == os.Getegid() || slices.Contains(groups, gid)
}

func kind(m fs.FileMode) string {
	switch {
	case m&fs.ModeSymlink != 0:
		return "symlink"
	case m.IsRegular():
		return "regular file"
	}
	return "special file"
}

// Path is the directory itself.
func (d Dir) Path() string { return d.path }

// Handover is the socket at which the proxy hands its listeners to a successor.
func (d Dir) Handover() string { return filepath.Join(d.path, "proxy-handover.sock") }

// KeptSockets is the socket at which the spawner keeps the proxy's listening
// sockets.
func (d Dir) KeptSockets() string { return filepath.Join(d.path, "spawn-sockets.sock") }

// NotifySockets is the directory of the sockets on which processes report that
// they are ready.
func (d Dir) NotifySockets() string { return filepath.Join(d.path, notify) }

// Socket is the control socket of a daemon.
func (d Dir) Socket(daemon string) string { return filepath.Join(d.path, daemon+".sock") }

// Recording is the file in which a daemon keeps its last quarter of an hour.
func (d Dir) Recording(daemon string) string { return filepath.Join(d.path, daemon+".recording") }

// Routes is the last route table published.
func (d Dir) Routes() string { return filepath.Join(d.path, "routes.json") }

// Apps is the directory of apps added at run time.
func (d Dir) Apps() string { return filepath.Join(d.path, "apps") }

// App is the file of one app added at run time.
func (d Dir) App(name string) string { return filepath.Join(d.path, "apps", name+".json") }

// Processes is the directory of process directories.
func (d Dir) Processes() string { return filepath.Join(d.path, "processes") }

// Process is the directory of one process.
func (d Dir) Process(id string) ProcessDir {
	return ProcessDir(filepath.Join(d.path, "processes", id))
}

// Releases holds the manifests of releases, where the spawner takes some.
func (d Dir) Releases() string { return filepath.Join(d.path, "releases") }

// Preloaders is the directory of preloaders' directories.
func (d Dir) Preloaders() string { return filepath.Join(d.path, "preloaders") }

// Preloader is the directory of one preloader, which has what that of a process
// has but no socket.
func (d Dir) Preloader(id string) ProcessDir {
	return ProcessDir(filepath.Join(d.path, "preloaders", id))
}

// A ProcessDir is the directory of one application process.
type ProcessDir string

func (p ProcessDir) Record() string { return filepath.Join(string(p), "record.json") }
func (p ProcessDir) Socket() string { return filepath.Join(string(p), "app.sock") }
func (p ProcessDir) Stdout() string { return filepath.Join(string(p), "stdout") }
func (p ProcessDir) Stderr() string { return filepath.Join(string(p), "stderr") }
