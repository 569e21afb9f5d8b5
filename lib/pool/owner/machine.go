package owner

import (
	"bytes"
	"os"
	"path"
	"strconv"
	"strings"
)

// A machine is where the kernel tells how it is doing: a directory with proc
// and sys in it.
type machine string

// system is the machine that we run on.
const system machine = "/"

// memoryFree is how many bytes may be taken until the machine has none left, or
// a cgroup that this program is in; 0 if neither can be read.
func (m machine) memoryFree() int64 {
	free := m.field("proc/meminfo", "MemAvailable:") << 10
	for _, g := range m.cgroups() {
		limit, used := m.number(g.limit), m.number(g.used)
		if limit <= 0 || used <= 0 {
			continue
		}
		// What is cached of files is given back when it is needed.
		left := max(limit-used+m.field(g.stat, g.cached), 1)
		if free == 0 || left < free {
			free = left
		}
	}
	return free
}

// A cgroup is where one cgroup tells of its memory.
type cgroup struct{ limit, used, stat, cached string }

// cgroups are those that this program is in, of either version, up to the root
// of what it can see. In a container that is all there is, and has the limit.
func (m machine) cgroups() []cgroup {
	b, err := os.ReadFile(string(m) + "proc/self/cgroup")
	if err != nil {
		return nil
	}
	var list []cgroup
	for line := range strings.Lines(string(b)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) < 3 || parts[1] != "" && parts[1] != "memory" {
			continue
		}
		for dir := path.Clean("/" + parts[2]); ; dir = path.Dir(dir) {
			list = append(list, cgroupAt(parts[1] == "", dir))
			if dir == "/" {
				break
			}
		}
	}
	return list
}

func cgroupAt(unified bool, dir string) cgroup {
	if unified {
		at := path.Join("sys/fs/cgroup", dir)
		return cgroup{at + "/memory.max", at + "/memory.current", at + "/memory.stat", "inactive_file"}
	}
	at := path.Join("sys/fs/cgroup/memory", dir)
	return cgroup{at + "/memory.limit_in_bytes", at + "/memory.usage_in_bytes", at + "/memory.stat", "total_inactive_file"}
}

// pressure is the share of the last ten seconds, in percent, in which "some" or
// the "full" set of tasks waited for a resource, as in proc_pressure_memory(5); 0
// where the kernel does not tell.
func (m machine) pressure(resource, tasks string) float64 {
	b, err := os.ReadFile(string(m) + "proc/pressure/" + resource)
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

// number is the number in a file, 0 if there is none.
func (m machine) number(file string) int64 {
	b, err := os.ReadFile(string(m) + file)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64) // "max" is not a number
	return n
}

// field is the number behind a word at the begin of a line, 0 if there is none.
func (m machine) field(file, word string) int64 {
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
