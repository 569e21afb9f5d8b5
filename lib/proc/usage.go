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

// UsageOfOne is what one process costs alone, whatever its group.
func UsageOfOne(pid int) protocol.Usage {
	s, err := readStat(pid)
	if err != nil {
		return protocol.Usage{} // it ended meanwhile
	}
	u := sum([]stat{s})
	if pss, ok := pssOf(pid); ok {
		u.PSS = pss
	} else {
		u.PSS = -1
	}
	return u
}

// UsageOfSelf is what this process costs, without its children.
func UsageOfSelf() protocol.Usage { return UsageOfOne(os.Getpid()) }

// sum is what the members of a group cost together, but for their PSS.
func sum(members []stat) protocol.Usage {
	var u protocol.Usage
	for _, s := range members {
		u.CPU += float64(s.utime+s.stime) / ticksPerSecond
		u.RSS += s.rss * int64(os.Getpagesize())
		u.Threads += s.threads
	}
	return u
}

// A share is the proportional set size of a process group when it was last
// read.
type share struct {
	leader   uint64 // its start time: another may have the number by now
	pss, rss int64  // bytes; pss is -1 if it may not be read
}

// shareOf reads the PSS of those that are members still. It takes the kernel
// milliseconds for a large process, all of whose pages it walks.
func shareOf(pgid int, members []stat) share {
	var sh share
	for _, m := range members {
		now, err := readStat(m.pid)
		if err != nil || now.group != pgid || !now.runs() {
			continue // it ended meanwhile
		}
		if m.pid == pgid {
			sh.leader = now.startTime
		}
		sh.rss += now.rss * int64(os.Getpagesize())
		if sh.pss < 0 {
			continue
		}
		if pss, ok := pssOf(m.pid); ok {
			sh.pss += pss
		} else {
			sh.pss = -1
		}
	}
	return sh
}

// at is the PSS to tell when the group's resident memory is rss. What came
// since is taken to be the group's own, as it is for all but newly mapped files.
func (sh share) at(rss int64) int64 {
	if sh.pss < 0 {
		return -1
	}
	return min(max(sh.pss+rss-sh.rss, 0), max(rss, sh.pss))
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
