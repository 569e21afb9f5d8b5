package status

import (
	"os"
	"strconv"
	"strings"

	"passenger/lib/protocol"
)

// alive says whether the record is of a process that runs: its number is in
// use by a process that started at the same moment of the same boot.
func alive(p protocol.Process) bool {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil || strings.TrimSpace(string(boot)) != p.BootID {
		return false
	}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/stat")
	if err != nil {
		return false
	}
	// The command's name, in parentheses, may hold spaces and parentheses.
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	const state, startTime = 3 - 3, 22 - 3
	return len(fields) > startTime && fields[state] != "Z" && fields[startTime] == strconv.FormatUint(p.StartTime, 10)
}
