package proc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Change is what a process changes of itself before it becomes a command.
// The zero Change changes nothing.
type Change struct {
	Dir    string
	Umask  *int
	Limits []Limit

	// Switch is the user to run as, nil to stay who we are. It needs root.
	Switch *User
}

// A User is whom to run as, with exactly these supplementary groups.
type User struct {
	UID, GID int
	Groups   []int
}

// A Limit is a resource limit of setrlimit(2), soft and hard alike.
type Limit struct {
	Resource int
	Name     string
	Value    uint64 // unix.RLIM_INFINITY for none
}

// Apply makes the changes, those that need privileges first. After an error
// the process is in between and should exit.
func (c Change) Apply() error {
	for _, l := range c.Limits {
		r := unix.Rlimit{Cur: l.Value, Max: l.Value}
		if err := unix.Setrlimit(l.Resource, &r); err != nil {
			return fmt.Errorf("set limit %s to %d: %w", l.Name, l.Value, err)
		}
	}
	if c.Umask != nil {
		unix.Umask(*c.Umask)
	}
	if c.Switch != nil {
		if err := c.Switch.become(); err != nil {
			return err
		}
	}
	if c.Dir != "" {
		if err := os.Chdir(c.Dir); err != nil {
			return fmt.Errorf("change to directory %q: %w", c.Dir, errors.Unwrap(err))
		}
	}
	return nil
}

// become drops to the user and reads back that nothing was kept.
func (u *User) become() error {
	if err := syscall.Setgroups(u.Groups); err != nil {
		return fmt.Errorf("set groups %v: %w", u.Groups, err)
	}
	if err := syscall.Setresgid(u.GID, u.GID, u.GID); err != nil {
		return fmt.Errorf("become group %d: %w", u.GID, err)
	}
	if err := syscall.Setresuid(u.UID, u.UID, u.UID); err != nil {
		return fmt.Errorf("become user %d: %w", u.UID, err)
	}
	ruid, euid, suid := unix.Getresuid()
	rgid, egid, sgid := unix.Getresgid()
	groups, err := unix.Getgroups()
	if err != nil {
		return fmt.Errorf("read groups back: %w", err)
	}
	want := slices.Clone(u.Groups)
	slices.Sort(want)
	slices.Sort(groups)
	if ruid != u.UID || euid != u.UID || suid != u.UID || rgid != u.GID || egid != u.GID || sgid != u.GID || !slices.Equal(groups, want) {
		return fmt.Errorf("internal error: became user %d/%d/%d, group %d/%d/%d with groups %v instead of user %d, group %d with groups %v",
			ruid, euid, suid, rgid, egid, sgid, groups, u.UID, u.GID, want)
	}
	if u.UID != 0 && unix.Setuid(0) == nil {
		return errors.New("internal error: privileges could be taken back")
	}
	return nil
}

// Exec becomes the command, which is looked up in the PATH of env. It returns
// only if it cannot.
func Exec(args, env []string) error {
	for _, kv := range env {
		if len(kv) > 5 && kv[:5] == "PATH=" {
			if err := os.Setenv("PATH", kv[5:]); err != nil {
				return err
			}
		}
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		return fmt.Errorf("execute %q: %w", args[0], errors.Unwrap(err))
	}
	return fmt.Errorf("execute %q: %w", path, syscall.Exec(path, args, env))
}
