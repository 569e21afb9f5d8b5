// Package proc is an operating-system process as we need it: who it is, how to
// signal exactly that one, when and how it ended, what it costs. Linux only.
package proc

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// An Identity tells one process from every other that has or will have its
// number.
type Identity struct {
	PID       int
	StartTime uint64 // clock ticks since boot: field 22 of /proc/PID/stat
	BootID    string
}

// BootID is the kernel's name for the time since it was started, empty if
// there is none to be read.
var BootID = sync.OnceValue(func() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
})

// IdentityOf returns the identity of the process that has the number now.
func IdentityOf(pid int) (Identity, error) {
	s, err := readStat(pid)
	if err != nil {
		return Identity{}, err
	}
	return Identity{PID: pid, StartTime: s.startTime, BootID: BootID()}, nil
}

// Alive says whether the process still runs. A zombie does not.
func (id Identity) Alive() bool {
	s, err := readStat(id.PID)
	return err == nil && s.startTime == id.StartTime && s.runs() &&
		(id.BootID == "" || id.BootID == BootID())
}

// Stopped says that SIGSTOP, or a signal like it, has stopped the process, which
// runs no more until it gets SIGCONT. A process that a debugger holds is not
// stopped in this sense.
func (id Identity) Stopped() bool {
	s, err := readStat(id.PID)
	return err == nil && s.startTime == id.StartTime && s.state == 'T'
}

// A stat is what we read of /proc/PID/stat; see proc(5).
type stat struct {
	pid          int // which the caller of parseStat knows
	state        byte
	parent       int
	group        int
	utime, stime uint64 // clock ticks
	threads      int
	startTime    uint64
	rss          int64 // pages
}

func readStat(pid int) (stat, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return stat{}, fmt.Errorf("process %d: %w", pid, err)
	}
	s, err := parseStat(b)
	s.pid = pid
	return s, err
}

// runs says that it is no zombie.
func (s stat) runs() bool { return s.state != 'Z' && s.state != 'X' }

// parseStat reads the fields after the command's name, which is whatever the
// process likes, with blanks and parentheses in it: they follow the last ")".
func parseStat(b []byte) (stat, error) {
	end := bytes.LastIndexByte(b, ')')
	f := strings.Fields(string(b[end+1:]))
	if end < 0 || len(f) < 22 {
		return stat{}, fmt.Errorf("a stat line of %d fields is not as in proc(5)", len(f))
	}
	var s stat
	var err error
	number := func(field int) int64 { // numbered as in proc(5), the state being 3
		n, e := strconv.ParseInt(f[field-3], 10, 64)
		if e != nil && err == nil {
			err = fmt.Errorf("field %d of a stat line: %w", field, e)
		}
		return n
	}
	s.state = f[0][0]
	s.parent, s.group = int(number(4)), int(number(5))
	s.utime, s.stime = uint64(number(14)), uint64(number(15))
	s.threads = int(number(20))
	s.startTime = uint64(number(22))
	s.rss = number(24)
	return s, err
}

// InGroup says whether the process belongs to the process group.
func InGroup(pid, pgid int) bool {
	s, err := readStat(pid)
	return err == nil && s.group == pgid
}

// Children returns the numbers of the processes whose parent is this process,
// zombies too.
func Children() []int { return childrenOf("self") }

// childrenOf returns those whose parent is the process of that name in /proc.
func childrenOf(process string) []int {
	dir := "/proc/" + process + "/task/"
	tasks, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var pids []int
	for _, task := range tasks {
		b, err := os.ReadFile(dir + task.Name() + "/children")
		if err != nil {
			continue // the thread ended, or CONFIG_PROC_CHILDREN is off
		}
		for _, f := range strings.Fields(string(b)) {
			if pid, err := strconv.Atoi(f); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// IsChild says whether the process is a child of this one.
func IsChild(pid int) bool {
	s, err := readStat(pid)
	return err == nil && s.parent == os.Getpid()
}
