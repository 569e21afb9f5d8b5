// Package cgroup keeps each process in a control group of its own, of version
// 2 (cgroups(7)): limits hold for all that the process starts, all of it can be
// killed at once, and the kernel counts what it killed for want of memory.
package cgroup

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNotDelegated says that no cgroup was given to this program to divide.
var ErrNotDelegated = errors.New("no cgroup is delegated to this program")

// wanted are the controllers of the limits that we know.
var wanted = []string{"memory", "pids", "cpu"}

// prefix begins the names of the cgroups of processes, so that they are told
// from others in a tree.
const prefix = "process-"

// leaf is the cgroup of the daemons themselves: the kernel lets no cgroup have
// both processes and limits for the cgroups below it.
const leaf = "daemons"

// A Tree is a cgroup that is ours to divide.
type Tree struct {
	path        string
	controllers []string // enabled below path
	refused     error    // why others are not
	strikes     *strikes
}

// divisions is how often it is tried to move all processes out of a cgroup: one
// may start another meanwhile.
const divisions = 5

// Delegated returns the tree that this program's own cgroup is delegated as,
// by systemd's Delegate=yes. It moves the processes in it to a cgroup below,
// to be allowed to divide it. Without one the error is [ErrNotDelegated].
//
// A mark on the cgroup tells that it is. The manager of a user may make none; there
// a service whose cgroup is the user's own to write takes it for delegated. The mark on a
// container's cgroup means the engine outside: inside it may not be written.
func Delegated() (*Tree, error) {
	t, err := divideOwn()
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) {
		return nil, fmt.Errorf("%w: its own may not be divided: %w", ErrNotDelegated, err)
	}
	return t, err
}

func divideOwn() (*Tree, error) {
	mount, err := mountPoint()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotDelegated, err)
	}
	own, err := ownPath()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotDelegated, err)
	}
	path := filepath.Join(mount, own)
	if parent := filepath.Dir(path); filepath.Base(path) == leaf && (isDelegated(parent) || isOurs(parent)) {
		return Open(parent) // a predecessor of ours has moved us
	}
	if !isDelegated(path) && !isOurs(path) {
		return nil, fmt.Errorf("%w: its own, %s, is not", ErrNotDelegated, path)
	}
	for try := 1; ; try++ {
		if err := vacate(path); err != nil {
			return nil, err
		}
		t, err := Open(path)
		if !errors.Is(err, unix.EBUSY) || try == divisions {
			return t, err
		}
	}
}

// Open returns the tree at path, a directory of the cgroup file system. What
// controllers it has are enabled; [Tree.Make] tells which are missing.
func Open(path string) (*Tree, error) {
	if err := check(path); err != nil {
		return nil, err
	}
	if err := unix.Access(path, unix.W_OK); err != nil {
		return nil, fmt.Errorf("cgroup %s: may not be divided: %w", path, err)
	}
	available, err := fields(filepath.Join(path, "cgroup.controllers"))
	if err != nil {
		return nil, err
	}
	t := &Tree{path: path, strikes: newStrikes(path)}
	t.refused = t.enable(slices.DeleteFunc(slices.Clone(wanted), func(c string) bool { return !slices.Contains(available, c) }))
	if errors.Is(t.refused, unix.EBUSY) {
		return nil, fmt.Errorf("cgroup %s: may not be divided while processes are in it itself: %w", path, t.refused)
	}
	t.controllers, err = fields(filepath.Join(path, "cgroup.subtree_control"))
	if err != nil {
		return nil, err
	}
	return t, nil
}

// enable has the groups of the tree offer controllers.
func (t *Tree) enable(controllers []string) error {
	var refused error
	for _, c := range controllers {
		refused = errors.Join(refused, write(filepath.Join(t.path, "cgroup.subtree_control"), "+"+c))
	}
	return refused
}

// Within says whether path, which need not exist, is beneath the cgroup file
// system of version 2.
func Within(path string) bool {
	mount, err := mountPoint()
	return err == nil && strings.HasPrefix(filepath.Clean(path), mount+"/")
}

// Path is the tree's directory.
func (t *Tree) Path() string { return t.path }

// Group returns the cgroup of the process with the ID, nil if there is none.
func (t *Tree) Group(id string) *Group {
	g := &Group{path: filepath.Join(t.path, prefix+id), strikes: t.strikes}
	if _, err := os.Lstat(g.path); err != nil {
		return nil
	}
	return g
}

// Make makes the cgroup of the process with the ID. Limits that the kernel
// does not offer here are a *MissingError, and the group is made all the same.
func (t *Tree) Make(id string, l Limits) (*Group, error) {
	g := &Group{path: filepath.Join(t.path, prefix+id), strikes: t.strikes}
	if err := os.Mkdir(g.path, 0o755); err != nil {
		return nil, fmt.Errorf("make cgroup: %w", err)
	}
	var missing []string
	for _, s := range l.settings() {
		if !slices.Contains(t.controllers, s.controller) {
			missing = append(missing, s.controller)
			continue
		}
		err := write(filepath.Join(g.path, s.file), s.value)
		if errors.Is(err, fs.ErrNotExist) && !s.optional && t.enable(t.controllers) == nil {
			// The directory was made anew since Open, as systemd does when it
			// starts the unit again that the tree is of.
			err = write(filepath.Join(g.path, s.file), s.value)
		}
		if errors.Is(err, fs.ErrNotExist) && s.optional {
			continue
		}
		if err != nil {
			return nil, errors.Join(err, g.Remove())
		}
	}
	if len(missing) > 0 {
		return g, &MissingError{Tree: t.path, Controllers: slices.Compact(missing), Err: t.refused}
	}
	return g, nil
}

// Sweep removes the cgroups in which no process is left.
func (t *Tree) Sweep() {
	groups, err := filepath.Glob(filepath.Join(t.path, prefix+"*"))
	if err != nil {
		return // the path has a pattern in it; then nothing is swept
	}
	for _, path := range groups {
		_ = unix.Rmdir(path) // the kernel refuses one that is in use
	}
}

// A MissingError says that the kernel has no controllers for some limits here.
type MissingError struct {
	Tree        string
	Controllers []string
	Err         error // what the kernel said when one was to be enabled; nil if it has none
}

func (e *MissingError) Error() string {
	text := fmt.Sprintf("cgroup %s has no controller %s", e.Tree, strings.Join(e.Controllers, ", "))
	if e.Err != nil {
		text += ": " + strings.ReplaceAll(e.Err.Error(), "\n", "; ")
	}
	return text
}

func (e *MissingError) Unwrap() error { return e.Err }

// vacate moves the processes in the cgroup to one below it.
func vacate(path string) error {
	below := filepath.Join(path, leaf)
	if err := os.Mkdir(below, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make cgroup: %w", err)
	}
	pids, err := fields(filepath.Join(path, "cgroup.procs"))
	if err != nil {
		return err
	}
	for _, pid := range pids {
		err := write(filepath.Join(below, "cgroup.procs"), pid)
		if err != nil && !errors.Is(err, unix.ESRCH) { // gone meanwhile
			return err
		}
	}
	return nil
}

// isDelegated says whether systemd gave the cgroup away; see its
// CGROUP_DELEGATION document.
func isDelegated(path string) bool {
	for _, name := range []string{"user.delegate", "trusted.delegate"} {
		value := make([]byte, 8)
		if n, err := unix.Getxattr(path, name, value); err == nil && string(value[:n]) == "1" {
			return true
		}
	}
	return false
}

// isOurs says that the cgroup is that of a service, and that this user, who is not
// root, may divide it, which is found by trying.
func isOurs(path string) bool {
	if os.Geteuid() == 0 || filepath.Ext(path) != ".service" {
		return false
	}
	for _, file := range []string{"cgroup.procs", "cgroup.subtree_control"} {
		f, err := os.OpenFile(filepath.Join(path, file), os.O_WRONLY, 0)
		if err != nil {
			return false
		}
		f.Close()
	}
	probe := filepath.Join(path, "probe")
	return os.Mkdir(probe, 0o755) == nil && unix.Rmdir(probe) == nil
}

// ownPath is this process's cgroup of version 2, below the mount point.
func ownPath() (string, error) {
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(b)) {
		if path, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			return path, nil
		}
	}
	return "", errors.New("the kernel has no cgroup version 2")
}

// mountPoint is where the cgroups of version 2 are.
func mountPoint() (string, error) {
	f, err := os.Open("/proc/self/mounts")
	if err != nil {
		return "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if f := strings.Fields(lines.Text()); len(f) > 2 && f[2] == "cgroup2" {
			return f[1], nil
		}
	}
	return "", errors.Join(errors.New("cgroup version 2 is not mounted"), lines.Err())
}

func fields(path string) ([]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read cgroup: %w", err)
	}
	return strings.Fields(string(b)), nil
}

// write writes one value to a file of a cgroup, which takes it in one
// write(2).
func write(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("set up cgroup: %w", err)
	}
	defer f.Close()
	if _, err := f.WriteString(value); err != nil {
		return fmt.Errorf("set up cgroup: write %s: %w", value, err)
	}
	return nil
}

// count reads the number that stands behind a key in a file of "key number"
// lines, 0 if it is not there.
func count(path, key string) int {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(b) {
		if name, value, ok := strings.Cut(strings.TrimSpace(string(line)), " "); ok && name == key {
			n, _ := strconv.Atoi(value) // the kernel writes a number
			return n
		}
	}
	return 0
}
