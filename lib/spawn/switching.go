package spawn

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"passenger/lib/account"
	"passenger/lib/app"
	"passenger/lib/protocol"
)

// Switching makes a spawner that runs as root start each app as a user of its
// own. What is run as whom then comes from files that only root can write; a
// request names an app and a generation, and no more.
type Switching struct {
	// AppsDir holds the settings of each app, NAME.json.
	AppsDir string

	RunAs app.RunAs
}

// Check says what is wrong with the directory and the defaults, so that a
// spawner does not start that could not start anything.
func (sw *Switching) Check() error {
	if err := sw.RunAs.Check(); err != nil {
		return err
	}
	dir, err := sw.open()
	if err != nil {
		return err
	}
	return dir.Close()
}

// open opens the directory, and refuses one that others than root could have
// filled.
func (sw *Switching) open() (*os.File, error) {
	path, err := filepath.Abs(sw.AppsDir)
	if err != nil {
		return nil, fmt.Errorf("apps directory %q: %w", sw.AppsDir, err)
	}
	for parent := filepath.Dir(path); ; parent = filepath.Dir(parent) {
		var st unix.Stat_t
		if err := unix.Stat(parent, &st); err != nil {
			return nil, fmt.Errorf("apps directory %q: %q: %w", path, parent, err)
		}
		// A sticky one, as /tmp, lets nobody rename what is another's.
		if err := rootsAlone(st, st.Mode&unix.S_ISVTX != 0); err != nil {
			return nil, fmt.Errorf("apps directory %q: its parent %q %w", path, parent, err)
		}
		if parent == filepath.Dir(parent) {
			break
		}
	}
	return openRoots(unix.AT_FDCWD, path, unix.O_DIRECTORY)
}

// config reads the settings of an app.
func (sw *Switching) config(name string) (protocol.AppConfig, error) {
	dir, err := sw.open()
	if err != nil {
		return protocol.AppConfig{}, err
	}
	defer dir.Close()
	path := filepath.Join(sw.AppsDir, name+".json")
	f, err := openRoots(int(dir.Fd()), name+".json", unix.O_NONBLOCK)
	if errors.Is(err, fs.ErrNotExist) {
		return protocol.AppConfig{}, fmt.Errorf("app %q has no file %s, which is where this spawner takes its settings from", name, path)
	}
	if err != nil {
		return protocol.AppConfig{}, err
	}
	defer f.Close()
	c, err := app.ReadFrom(f)
	if err != nil {
		return protocol.AppConfig{}, fmt.Errorf("%s: %w", path, err)
	}
	if c.Name != "" && c.Name != name {
		return protocol.AppConfig{}, fmt.Errorf("%s: its name is %q; the file has to be named after the app", path, c.Name)
	}
	c.Name = name
	if !filepath.IsAbs(c.AppRoot) {
		return protocol.AppConfig{}, fmt.Errorf("%s: app_root %q is not an absolute path", path, c.AppRoot)
	}
	return c, nil
}

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
		err = errors.New("is no regular file")
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

// who returns whom the app runs as.
//
// Whoever has a symlink on the way to its directory chose it, and must not so
// choose somebody else's to run as: a directory where both may write would do.
func (sw *Switching) who(c protocol.AppConfig, f findings) (app.Who, error) {
	who, err := sw.RunAs.Of(c, f.Owner)
	if err != nil || c.User != "" {
		return who, err
	}
	for _, uid := range f.Release.Links {
		if uid != who.UID {
			return app.Who{}, fmt.Errorf("app %q: a symlink of user %s on the way to %q leads to what would run as user %s; set \"user\" in its settings, or give the symlink to that user or to root",
				c.Name, account.NameOf(uid), f.Release.Path, who.Name)
		}
	}
	return who, nil
}

// ownerOf returns the owner of the startup file, or of the directory if there
// is none. A symlink counts as itself. A further name of another's file would
// let who may write the directory choose whose it seems.
func ownerOf(root, startupFile string) (app.Owner, error) {
	dir, err := os.OpenRoot(root)
	if err != nil {
		return app.Owner{}, fmt.Errorf("app root: %w", err)
	}
	defer dir.Close()
	home, err := statOf(dir, ".")
	if err != nil || startupFile == "" {
		return app.Owner{UID: int(home.Uid), GID: int(home.Gid)}, err
	}
	file, _, _ := strings.Cut(startupFile, ":")
	st, err := statOf(dir, file)
	if err != nil {
		return app.Owner{}, err
	}
	if st.Nlink > 1 && st.Uid != 0 && st.Uid != home.Uid {
		return app.Owner{}, fmt.Errorf("startup file %q has %d names and belongs to user %s, the directory to user %s; copy the file, or set \"user\"",
			file, st.Nlink, account.NameOf(int(st.Uid)), account.NameOf(int(home.Uid)))
	}
	return app.Owner{UID: int(st.Uid), GID: int(st.Gid)}, nil
}

func statOf(dir *os.Root, name string) (syscall.Stat_t, error) {
	fi, err := dir.Lstat(name)
	if err != nil {
		return syscall.Stat_t{}, fmt.Errorf("startup file: %w", err)
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return syscall.Stat_t{}, fmt.Errorf("startup file %q: the system does not say whose it is", name)
	}
	return *st, nil
}
