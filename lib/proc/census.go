package proc

import (
	"os"
	"strconv"
)

// A Census is who ran when /proc was read once: the members of each process
// group, by its number. To read it costs as much for one group as for all.
type Census map[int][]stat

// TakeCensus reads /proc. Zombies do not count.
func TakeCensus() Census {
	c := Census{}
	for _, pid := range all() {
		if s, err := readStat(pid); err == nil && s.runs() {
			c[s.group] = append(c[s.group], s)
		}
	}
	return c
}

// Has says whether the process group had a member.
func (c Census) Has(pgid int) bool { return len(c[pgid]) > 0 }

// Group returns the numbers of the processes in the process group that still
// run.
func Group(pgid int) []int {
	var members []int
	for _, s := range TakeCensus()[pgid] {
		members = append(members, s.pid)
	}
	return members
}

func all() []int {
	d, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil
	}
	pids := make([]int, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
