package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// removePatience is how long the processes of a killed cgroup may take to go.
// One that is in the middle of a system call which cannot be interrupted takes
// as long as that.
const removePatience = 2 * time.Second

// Limits of a cgroup. Zero means none.
type Limits struct {
	MemoryMax int64 // bytes
	PIDsMax   int   // processes and threads
	CPUWeight int   // 1 to 10000; the kernel's default is 100
}

// A setting is what a limit is in the cgroup file system.
type setting struct {
	controller, file, value string
	optional                bool // not every kernel has the file
}

func (l Limits) settings() []setting {
	var s []setting
	if l.MemoryMax > 0 {
		// Without oom.group the kernel would kill one process of the app's, and
		// leave the others in a state that the app was not written for.
		s = append(s, setting{"memory", "memory.max", strconv.FormatInt(l.MemoryMax, 10), false},
			setting{"memory", "memory.oom.group", "1", true},
			// The limit is of all its memory: what goes on in the swap is slow for
			// its clients, and for its neighbours too.
			setting{"memory", "memory.swap.max", "0", true})
	}
	if l.PIDsMax > 0 {
		s = append(s, setting{"pids", "pids.max", strconv.Itoa(l.PIDsMax), false})
	}
	if l.CPUWeight > 0 {
		s = append(s, setting{"cpu", "cpu.weight", strconv.Itoa(l.CPUWeight), false})
	}
	return s
}

// A Group is the cgroup of one process and of all that it starts.
type Group struct {
	path    string
	strikes *strikes // of its tree
}

// Path is the group's directory.
func (g *Group) Path() string { return g.path }

// Place puts a process into the group. What it starts from then on is in it
// too. The caller knows that pid is the process it means: a child that it has
// not reaped, or held at its gate.
func (g *Group) Place(pid int) error {
	return write(filepath.Join(g.path, "cgroup.procs"), strconv.Itoa(pid))
}

// Size is how many processes are in the group. Zombies do not count.
func (g *Group) Size() int {
	pids, err := fields(filepath.Join(g.path, "cgroup.procs"))
	if err != nil {
		return 0
	}
	return len(pids)
}

// OOMKills is how many processes of the group the kernel killed because the
// group or the system had no memory left.
func (g *Group) OOMKills() int { return count(filepath.Join(g.path, "memory.events"), "oom_kill") }

// Kill ends every process in the group at once, those that come into being
// meanwhile too.
func (g *Group) Kill() error {
	err := write(filepath.Join(g.path, "cgroup.kill"), "1")
	if errors.Is(err, fs.ErrNotExist) { // Linux before 5.14
		return g.killEach()
	}
	return err
}

// killEach kills what is in the group until nothing is: a process may start
// another before its turn comes.
func (g *Group) killEach() error {
	const rounds = 100
	for range rounds {
		pids, err := fields(filepath.Join(g.path, "cgroup.procs"))
		if err != nil || len(pids) == 0 {
			return err
		}
		for _, s := range pids {
			if pid, err := strconv.Atoi(s); err == nil {
				_ = unix.Kill(pid, unix.SIGKILL) // gone is fine
			}
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("cgroup %s: its processes start others faster than they can be killed", g.path)
}

// Remove removes the group. Processes that were killed have a moment to go; if
// one does not, the group stays and the error says so.
func (g *Group) Remove() error {
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		err := removeAll(g.path)
		if !errors.Is(err, unix.EBUSY) || time.Since(began) > removePatience {
			return err
		}
	}
}

// removeAll removes a group with the groups that its processes made in it.
func removeAll(path string) error {
	err := unix.Rmdir(path)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	entries, readErr := os.ReadDir(path)
	if readErr != nil {
		return fmt.Errorf("remove cgroup: %w", readErr)
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeAll(filepath.Join(path, e.Name())); err != nil {
				return err
			}
		}
	}
	if err = unix.Rmdir(path); err != nil {
		return fmt.Errorf("remove cgroup %s: %w", path, err)
	}
	return nil
}

// PIDsRefused is how often the group's limit of processes kept one from being
// made.
func (g *Group) PIDsRefused() int { return count(filepath.Join(g.path, "pids.events"), "max") }

// MemoryMax is the group's limit in bytes, 0 if it has none.
func (g *Group) MemoryMax() int64 { return limitAt(g.path) }

func limitAt(path string) int64 {
	b, err := os.ReadFile(filepath.Join(path, "memory.max"))
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return 0 // "max"
	}
	return n
}

// Enter moves this process into the cgroup at path.
func Enter(path string) error {
	if err := check(path); err != nil {
		return err
	}
	return write(filepath.Join(path, "cgroup.procs"), "0")
}

// check says why path is no cgroup of version 2.
func check(path string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return fmt.Errorf("cgroup %s: %w", path, err)
	}
	if st.Type != unix.CGROUP2_SUPER_MAGIC {
		return fmt.Errorf("cgroup %s: is not of cgroup version 2", path)
	}
	return nil
}
