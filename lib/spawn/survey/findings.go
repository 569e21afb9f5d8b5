// Package survey looks at what lies in an app's directory: which release it is,
// what kind of app, and whose.
//
// The app's user fills that directory, perhaps with a FIFO or with a file of
// 2 GB, perhaps on a file system that does not answer. So a process of its own
// looks, which can be killed: this program at its gate, see package gate. It
// opens everything as the user that the directory belongs to.
package survey

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"passenger/lib/account"
	"passenger/lib/app"
	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/trail"
)

// A Question asks what lies in an app's directory.
type Question struct {
	Config protocol.AppConfig `json:"config"`

	// ProcessType is that of the side process which is to start, empty for one that
	// serves.
	ProcessType string `json:"process_type,omitempty"`

	Release  *Release  `json:"release,omitempty"`  // nil to follow the app root
	Switches *Switches `json:"switches,omitempty"` // nil to read as our own user
}

// Switches are set where apps run as users of their own.
type Switches struct {
	// DefaultUser is the user of an app whose startup file is root's.
	DefaultUser string `json:"default_user"`
}

// Findings are the answer to a [Question].
type Findings struct {
	Release     Release       `json:"release"`
	Detection   app.Detection `json:"detection"`
	Interpreter string        `json:"interpreter,omitempty"`
	Owner       app.Owner     `json:"owner"` // of the startup file, else of the directory
}

// Look answers the question, in this process, which may hang for it.
func (q Question) Look() (Findings, error) { return q.look(q.reader) }

// look does so as the user that reader names for the directory's owner, nil for
// our own. It holds the directory open, so that all findings are of one and the
// same directory.
func (q Question) look(reader func(owner int) (*proc.User, error)) (Findings, error) {
	path := q.Config.AppRoot
	if q.Release != nil {
		path = q.Release.Path
	}
	t, err := trail.Follow(path)
	if err != nil {
		return Findings{}, fmt.Errorf("app %q: app root %q: %w", q.Config.Name, path, err)
	}
	defer t.Close()
	f := Findings{Release: releaseOf(t)}
	if q.Release != nil { // the links that led there first count as well
		f.Release.Links = slices.Compact(slices.Sorted(slices.Values(append(q.Release.Links, t.Links...))))
		f.Release.Foreign = q.Release.Foreign
	}
	c, at := q.Config, fmt.Sprintf("/proc/self/fd/%d", t.File.Fd())
	c.AppRoot = f.Release.Path
	as, err := reader(t.Owner())
	if err != nil {
		return f, fmt.Errorf("app %q: %w", c.Name, err)
	}
	err = run(as, func() (err error) {
		if f.Detection, err = app.DetectAt(c, at, q.Switches != nil); err == nil {
			f.Interpreter = interpreter(c, f.Detection.Type, at)
		}
		return err
	})
	if err != nil {
		return f, err
	}
	owner, err := ownerOf(at, f.Detection.StartupFile)
	if q.ProcessType != "" { // it runs as the user of those that serve
		if failed := run(as, func() (err error) {
			f.Detection, err = app.DetectSideAt(c, at, q.ProcessType, q.Switches != nil)
			return err
		}); failed != nil {
			return f, fmt.Errorf("app %q: %w", c.Name, failed)
		}
	}
	switch {
	case err == nil:
		f.Owner = owner
	case q.Switches != nil:
		return f, fmt.Errorf("app %q: %w", c.Name, err)
	default: // the owner makes no difference
		f.Owner = app.Owner{UID: f.Release.Owner}
	}
	return f, nil
}

// run runs f with the user's rights on files, with our own if it is nil.
func run(as *proc.User, f func() error) error {
	if as == nil {
		return f()
	}
	return as.Do(f)
}

// reader is the user who reads the directory, nil for our own: the app's user by
// the settings, else the directory's owner. Root reads a directory that is
// root's: root chose what lies in it, and the files may be readable by the app's
// user alone, who is not known yet.
func (q Question) reader(owner int) (*proc.User, error) {
	if q.Switches == nil || q.Config.User == "" && owner == 0 {
		return nil, nil
	}
	r := app.RunAs{DefaultUser: q.Switches.DefaultUser, Accounts: account.System}
	u, err := r.User(q.Config, owner)
	if err != nil {
		return nil, fmt.Errorf("app %q: %w", q.Config.Name, err)
	}
	if u.UID == 0 {
		return nil, nil
	}
	groups, err := account.System.GroupsOf(u, u.GID)
	if err != nil {
		return nil, err
	}
	return &proc.User{UID: u.UID, GID: u.GID, Groups: groups}, nil
}

// ownerOf returns the owner of the startup file, or of the directory if there
// is none. A symlink counts as itself. It refuses a file with several names
// that belongs to another user than the directory: a user who may write the
// directory could link to it and so choose whom the app runs as.
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

// interpreter is the program that runs apps of the type: the one that the
// settings name, else for Python the one of the app's own virtualenv, else empty
// for the usual one. at is a path of the app's directory.
func interpreter(c protocol.AppConfig, kind, at string) string {
	switch kind {
	case protocol.TypeRack:
		return c.Ruby
	case protocol.TypeNode:
		return c.Nodejs
	}
	if c.Python != "" {
		return c.Python
	}
	for _, dir := range []string{".venv", "venv", "env"} {
		python := filepath.Join(dir, "bin", "python")
		if fi, err := os.Stat(filepath.Join(at, python)); err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0 {
			return filepath.Join(c.AppRoot, python)
		}
	}
	return ""
}
