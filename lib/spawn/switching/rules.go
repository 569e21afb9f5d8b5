// Package switching decides as which user an app runs where the spawner is root,
// and believes nothing of it that others than root could have written.
package switching

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"passenger/lib/account"
	"passenger/lib/app"
	"passenger/lib/protocol"
	"passenger/lib/spawn/survey"
)

// Rules make a spawner that runs as root start each app as a user of its
// own. The command and the user then come from files that only root can write; a
// request names an app and a generation, and no more.
type Rules struct {
	// AppsDir holds the settings of each app, NAME.json.
	AppsDir string

	RunAs app.RunAs
}

// Check says what is wrong with the directory and the defaults, so that a
// spawner that could not start any app does not start.
func (r *Rules) Check() error {
	if err := r.RunAs.Check(); err != nil {
		return err
	}
	dir, err := r.open()
	if err != nil {
		return err
	}
	return dir.Close()
}

// open opens the directory, and refuses one that others than root could have
// filled.
func (r *Rules) open() (*os.File, error) {
	path, err := filepath.Abs(r.AppsDir)
	if err != nil {
		return nil, fmt.Errorf("apps directory %q: %w", r.AppsDir, err)
	}
	for parent := filepath.Dir(path); ; parent = filepath.Dir(parent) {
		var st unix.Stat_t
		if err := unix.Stat(parent, &st); err != nil {
			return nil, fmt.Errorf("apps directory %q: %q: %w", path, parent, err)
		}
		// In a sticky one, as /tmp is, no user can rename what is another's.
		if err := rootsAlone(st, st.Mode&unix.S_ISVTX != 0); err != nil {
			return nil, fmt.Errorf("apps directory %q: its parent %q %w", path, parent, err)
		}
		if parent == filepath.Dir(parent) {
			break
		}
	}
	return openRoots(unix.AT_FDCWD, path, unix.O_DIRECTORY)
}

// Config reads the settings of the app of that name.
func (r *Rules) Config(name string) (protocol.AppConfig, error) {
	dir, err := r.open()
	if err != nil {
		return protocol.AppConfig{}, err
	}
	defer dir.Close()
	path := filepath.Join(r.AppsDir, name+".json")
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

// Who returns the user and the groups that the app runs as.
//
// The owner of a symlink on the way to the app's directory chose that directory,
// and must not choose another user's by it: then what it runs would run as that
// user.
func (r *Rules) Who(c protocol.AppConfig, f survey.Findings) (app.Who, error) {
	who, err := r.RunAs.Of(c, f.Owner)
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
