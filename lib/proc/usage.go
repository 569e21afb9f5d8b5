package proc

import (
	"bufio"
	"bytes"
	"os"
	"strconv"

	"passenger/lib/protocol"
)

// ticksPerSecond is USER_HZ, which is 100 on every Linux port Go runs on.
const ticksPerSecond = 100

// UsageOf returns what the process group costs now. Reading PSS takes the
// kernel milliseconds for a large process, so do not ask often.
func UsageOf(pgid int) protocol.Usage { return sum(Group(pgid)) }

// UsageOfOne is UsageOf for one process alone, whatever its group.
func UsageOfOne(pid int) protocol.Usage { return sum([]int{pid}) }

// UsageOfSelf is what this process costs, without its children.
func UsageOfSelf() protocol.Usage { return UsageOfOne(os.Getpid()) }

func sum(pids []int) protocol.Usage {
	var u protocol.Usage
	for _, pid := range pids {
		s, err := readStat(pid)
		if err != nil {
			continue // it ended meanwhile
		}
		u.CPU += float64(s.utime+s.stime) / ticksPerSecond
		u.RSS += s.rss * int64(os.Getpagesize())
		u.Threads += s.threads
		if u.PSS < 0 {
			continue
		}
		if pss, ok := pssOf(pid); ok {
			u.PSS += pss
		} else {
			u.PSS = -1
		}
	}
	return u
}

// pssOf reads the proportional set size in bytes from smaps_rollup; false if
// we may not.
func pssOf(pid int) (int64, bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/smaps_rollup")
	if err != nil {
		return 0, false
	}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		if rest, ok := bytes.CutPrefix(lines.Bytes(), []byte("Pss:")); ok {
			kb, err := strconv.ParseInt(string(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte(" kB"))), 10, 64)
			return kb << 10, err == nil
		}
	}
	return 0, false
}
