// Package host looks at what the kernel says of memory and processors: of the
// whole machine, and of the cgroups that bound a part of it.
package host

import (
	"bytes"
	"errors"
	"os"
	"path"
	"strconv"
	"strings"

	"passenger/lib/protocol"
)

// A Machine is where the kernel tells how it is doing: a directory with proc
// and sys in it.
type Machine string

// This is the machine that we run on.
const This Machine = "/"

// Spare is what can be had in a cgroup, a directory; empty for the one that this
// program is in. All limits count, its own and those of the cgroups that it is in.
func (m Machine) Spare(cgroup string) protocol.Host {
	groups := m.cgroups()
	if cgroup != "" {
		groups = m.above(cgroup)
	}
	h := protocol.Host{
		CPUPressure:    m.pressure("proc/pressure/cpu", "some"),
		MemoryPressure: m.pressure("proc/pressure/memory", "full"),
		CPUs:           m.processors(cgroup),
	}
	if _, err := os.ReadFile(string(m) + "proc/meminfo"); err != nil {
		h.Unknown = "the memory of the machine: " + errors.Unwrap(err).Error() + ": /proc/meminfo; ProcSubset=pid of a unit hides it"
	} else if h.MemoryFree = m.field("proc/meminfo", "MemAvailable:") << 10; h.MemoryFree > 0 {
		h.MemoryBound, h.MemoryMax = protocol.WholeMachine, m.field("proc/meminfo", "MemTotal:")<<10
	}
	for _, g := range groups {
		h.CPUPressure = max(h.CPUPressure, m.pressure(g.dir+"/cpu.pressure", "some"))
		h.MemoryPressure = max(h.MemoryPressure, m.pressure(g.dir+"/memory.pressure", "full"))
		limit, used := m.number(g.limit), m.number(g.used)
		if limit <= 0 || used <= 0 {
			continue
		}
		// What is cached of files is given back when it is needed.
		left := max(limit-used+m.field(g.stat, g.cached), 1)
		if h.MemoryFree == 0 || left < h.MemoryFree {
			h.MemoryFree, h.MemoryBound, h.MemoryMax = left, "/"+g.dir, limit
		}
	}
	return h
}

// A group is where one cgroup tells of its memory.
type group struct{ dir, limit, used, stat, cached string }

// cgroups are those that this program is in, of either version, up to the root
// of what it can see. In a container that is all there is, and has the limit.
func (m Machine) cgroups() []group {
	b, err := os.ReadFile(string(m) + "proc/self/cgroup")
	if err != nil {
		return nil
	}
	var list []group
	for line := range strings.Lines(string(b)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) < 3 || parts[1] != "" && parts[1] != "memory" {
			continue
		}
		for dir := path.Clean("/" + parts[2]); ; dir = path.Dir(dir) {
			list = append(list, groupAt(parts[1] == "", dir))
			if dir == "/" {
				break
			}
		}
	}
	return list
}

// above are a cgroup of version 2 and those that it is in.
func (m Machine) above(dir string) (list []group) {
	for dir = strings.TrimPrefix(path.Clean(dir), "/"); ; dir = path.Dir(dir) {
		if _, err := os.Lstat(string(m) + dir + "/cgroup.procs"); err != nil || dir == "." {
			return list
		}
		list = append(list, version2(dir))
	}
}

func groupAt(unified bool, dir string) group {
	if unified {
		return version2(path.Join("sys/fs/cgroup", dir))
	}
	at := path.Join("sys/fs/cgroup/memory", dir)
	return group{at, at + "/memory.limit_in_bytes", at + "/memory.usage_in_bytes", at + "/memory.stat", "total_inactive_file"}
}

func version2(at string) group {
	return group{at, at + "/memory.max", at + "/memory.current", at + "/memory.stat", "inactive_file"}
}

// pressure is the share of the last ten seconds, in percent, in which "some" or
// the "full" set of tasks waited for a resource, as in proc_pressure_memory(5); 0
// where the kernel does not tell.
func (m Machine) pressure(file, tasks string) float64 {
	b, err := os.ReadFile(string(m) + file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, tasks+" avg10="); ok {
			value, _, _ := strings.Cut(rest, " ")
			percent, _ := strconv.ParseFloat(value, 64) // 0 for what is not a number
			return percent
		}
	}
	return 0
}

// text is what a file holds, empty if there is none.
func (m Machine) text(file string) string {
	b, err := os.ReadFile(string(m) + file)
	if err != nil {
		return ""
	}
	return string(b)
}

// number is the number in a file, 0 if there is none.
func (m Machine) number(file string) int64 {
	b, err := os.ReadFile(string(m) + file)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64) // "max" is not a number
	return n
}

// field is the number behind a word at the begin of a line, 0 if there is none.
func (m Machine) field(file, word string) int64 {
	b, err := os.ReadFile(string(m) + file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == word {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n
		}
	}
	return 0
}
