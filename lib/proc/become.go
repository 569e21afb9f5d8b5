package proc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"passenger/lib/account"
)

// A Change is what a process changes of itself before it becomes a command.
// The zero Change changes nothing.
type Change struct {
	Dir string `json:"dir,omitempty"`

	// Device and Inode say which directory Dir has to be; 0 for any.
	Device uint64 `json:"device,omitempty"`
	Inode  uint64 `json:"inode,omitempty"`

	Umask  *int    `json:"umask,omitempty"`
	Limits []Limit `json:"limits,omitempty"`

	// Nice is added to the nice value; see nice(2).
	Nice int `json:"nice,omitempty"`

	// OOMScoreAdj is what /proc/self/oom_score_adj is set to; see proc(5).
	OOMScoreAdj *int `json:"oom_score_adj,omitempty"`

	// NoNewPrivileges keeps every later execve(2) from giving privileges.
	NoNewPrivileges bool `json:"no_new_privileges,omitempty"`

	// Switch is the user to run as, nil to keep the present one. It needs root.
	Switch *User `json:"switch,omitempty"`
}

// A User is a user to run as, with exactly these supplementary groups.
type User struct {
	UID    int   `json:"uid"`
	GID    int   `json:"gid"`
	Groups []int `json:"groups"`
}

// A Limit is a resource limit of setrlimit(2), soft and hard alike.
type Limit struct {
	Resource int    `json:"resource"`
	Name     string `json:"name"`
	Value    uint64 `json:"value"` // unix.RLIM_INFINITY for none
}

// A BlockedError says which directory keeps a user from a path.
type BlockedError struct {
	Path      string
	Directory string      // the first one on the way that may not be entered
	Mode      os.FileMode // its permissions
	UID       int         // its owner
}

func (e *BlockedError) Error() string {
	return fmt.Sprintf("user %s may not enter %s (mode %04o, owner %s)", account.NameOf(os.Getuid()), e.Directory, e.Mode.Perm(), account.NameOf(e.UID))
}

func (e *BlockedError) Unwrap() error { return syscall.EACCES }

// Apply makes the changes, those that need privileges first, and reads back
// what matters. What a thread has of its own is changed of this one, to which
// the goroutine is locked: the caller goes on to [Exec] or exits.
func (c Change) Apply() error {
	runtime.LockOSThread()
	for _, l := range c.Limits {
		r := unix.Rlimit{Cur: l.Value, Max: l.Value}
		if err := unix.Setrlimit(l.Resource, &r); err != nil {
			return fmt.Errorf("set limit %s to %d: %w", l.Name, l.Value, err)
		}
	}
	if c.OOMScoreAdj != nil {
		if err := os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(*c.OOMScoreAdj)), 0); err != nil {
			return fmt.Errorf("set OOM score adjustment %d: %w", *c.OOMScoreAdj, err)
		}
	}
	if err := renice(c.Nice); err != nil {
		return err
	}
	if c.Umask != nil {
		unix.Umask(*c.Umask)
	}
	if c.Switch != nil {
		if err := c.Switch.become(); err != nil {
			return err
		}
	}
	if c.NoNewPrivileges {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("set no_new_privs: %w", err)
		}
	}
	if c.Dir == "" {
		return nil
	}
	if err := os.Chdir(c.Dir); err != nil {
		if blocked := blockedOn(c.Dir); blocked != nil {
			return blocked
		}
		return fmt.Errorf("change to directory %q: %w", c.Dir, errors.Unwrap(err))
	}
	return c.checkDir()
}

// checkDir says whether the directory that we came to is the one that was
// meant: another may have got its name.
func (c Change) checkDir() error {
	if c.Inode == 0 {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Stat(".", &st); err != nil {
		return fmt.Errorf("change to directory %q: %w", c.Dir, err)
	}
	if st.Dev != c.Device || st.Ino != c.Inode {
		return fmt.Errorf("change to directory %q: another directory has taken its place", c.Dir)
	}
	return nil
}

// OOMScoreAdj is this process's own; see proc(5). 0 if it cannot be read.
func OOMScoreAdj() int {
	b, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(b))) // the kernel writes a number
	return n
}

func renice(by int) error {
	if by == 0 {
		return nil
	}
	was, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		return fmt.Errorf("read nice value: %w", err)
	}
	nice := 20 - was + by // the system call answers 20 less the value, so that it is positive
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, nice); err != nil {
		return fmt.Errorf("set nice value %d: %w", nice, err)
	}
	return nil
}

// become drops to the user, with no capability left, and reads back that
// nothing was kept.
func (u *User) become() error {
	if u.UID != 0 {
		if err := dropBounding(); err != nil {
			return err
		}
	}
	if err := syscall.Setgroups(u.Groups); err != nil {
		return fmt.Errorf("set groups %v: %w", u.Groups, err)
	}
	if err := syscall.Setresgid(u.GID, u.GID, u.GID); err != nil {
		return fmt.Errorf("become group %d: %w", u.GID, err)
	}
	if err := syscall.Setresuid(u.UID, u.UID, u.UID); err != nil {
		return fmt.Errorf("become user %d: %w", u.UID, err)
	}
	if err := u.verify(); err != nil {
		return fmt.Errorf("internal error: %w", err)
	}
	return nil
}

// verify reads back who this thread is.
func (u *User) verify() error {
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
		return fmt.Errorf("became user %d/%d/%d, group %d/%d/%d with groups %v instead of user %d, group %d with groups %v",
			ruid, euid, suid, rgid, egid, sgid, groups, u.UID, u.GID, want)
	}
	if u.UID == 0 {
		return nil
	}
	caps, err := capabilities()
	if err != nil {
		return err
	}
	for name, value := range caps {
		if value != 0 {
			return fmt.Errorf("user %d kept %s %#x", u.UID, name, value)
		}
	}
	if unix.Setuid(0) == nil {
		return errors.New("privileges could be taken back")
	}
	return nil
}

// blockedOn finds the directory that keeps us from path, nil if none does.
func blockedOn(path string) *BlockedError {
	for end := 1; end <= len(path); end++ {
		if end < len(path) && path[end] != '/' {
			continue
		}
		dir := path[:end]
		if !errors.Is(unix.Access(dir, unix.X_OK), unix.EACCES) {
			continue
		}
		var st unix.Stat_t
		if unix.Stat(dir, &st) != nil {
			return nil
		}
		return &BlockedError{Path: path, Directory: dir, Mode: os.FileMode(st.Mode & 0o777), UID: int(st.Uid)}
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
