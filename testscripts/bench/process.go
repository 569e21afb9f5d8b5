package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A cost is what processes used: CPU since they started, and memory now.
type cost struct {
	cpu      time.Duration
	pss, rss int64 // bytes
}

// costOf adds up what the processes cost that have one of the names, or all if
// there is no name.
func costOf(pids []int, names ...string) cost {
	var sum cost
	for _, pid := range pids {
		if len(names) > 0 && !hasName(pid, names) {
			continue
		}
		sum.cpu += cpuOf(pid)
		rollup, err := os.ReadFile(procFile(pid, "smaps_rollup"))
		if err != nil {
			continue
		}
		sum.pss += kilobytes(rollup, "Pss:")
		sum.rss += kilobytes(rollup, "Rss:")
	}
	return sum
}

// cpuOf is what a process has used, of all its threads. The kernel's clock of a
// process counts ns, its files ticks of 10 ms.
func cpuOf(pid int) time.Duration {
	var t unix.Timespec
	const sched = 2 // CPUCLOCK_SCHED, see clock_getcpuclockid(3)
	if unix.ClockGettime(int32(^pid)<<3|sched, &t) != nil {
		return 0 // it ended
	}
	return time.Duration(t.Nano())
}

// hasName says whether one of the names is that of the process's executable,
// or what its command line begins with.
func hasName(pid int, names []string) bool {
	exe, err := os.Readlink(procFile(pid, "exe"))
	if err != nil {
		return false // it ended
	}
	line, err := os.ReadFile(procFile(pid, "cmdline"))
	return err == nil && slices.ContainsFunc(names, func(name string) bool {
		return filepath.Base(exe) == name || strings.HasPrefix(string(line), name)
	})
}

// marked says whether the process was started with this variable.
func marked(pid int, variable string) bool {
	env, err := os.ReadFile(procFile(pid, "environ"))
	return err == nil && slices.Contains(strings.Split(string(env), "\x00"), variable)
}

// descendants returns the children of a process, and theirs.
func descendants(pid int) []int { return below(childrenOf(), pid) }

// childrenOf is the children of each process that has some.
func childrenOf() map[int][]int {
	children := map[int][]int{}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if p, err := strconv.Atoi(e.Name()); err == nil {
			if f := statFields(p); f != nil {
				children[int(f[1])] = append(children[int(f[1])], p)
			}
		}
	}
	return children
}

func below(children map[int][]int, pid int) []int {
	found := slices.Clone(children[pid])
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i]]...)
	}
	return found
}

// statFields returns the numbers of /proc/PID/stat from the state on, which is
// 0 here, so the parent is 1, user and system time are 11 and 12, and the
// start time is 19. It returns nil for a process that is gone.
func statFields(pid int) []int64 {
	b, err := os.ReadFile(procFile(pid, "stat"))
	if err != nil {
		return nil
	}
	// The name before may hold blanks and parentheses.
	words := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(words) < 20 {
		return nil
	}
	f := make([]int64, len(words))
	for i, w := range words {
		f[i], _ = strconv.ParseInt(w, 10, 64) // the state is not a number
	}
	return f
}

// kilobytes reads a line of a /proc file like "Pss:   1234 kB", in bytes.
func kilobytes(b []byte, name string) int64 {
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == name {
			n, _ := strconv.ParseInt(f[1], 10, 64) // the kernel writes a number
			return n << 10
		}
	}
	return 0
}

func procFile(pid int, name string) string {
	return filepath.Join("/proc", strconv.Itoa(pid), name)
}
