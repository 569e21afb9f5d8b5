package proc

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// KillCarriers kills the processes that were started with the variable
// NAME=VALUE in their environment, and says how many they were. It finds those
// that left their process group and their parent, so the value must be one that
// no other process can have. group limits it to a process group; 0 is any.
func KillCarriers(variable string, group int) int {
	killed := 0
	for _, pid := range all() {
		if pid == os.Getpid() || (group != 0 && !InGroup(pid, group)) || !Carries(pid, variable) {
			continue
		}
		id, err := IdentityOf(pid)
		if err != nil {
			continue // it ended meanwhile
		}
		h, err := Open(id)
		if err != nil {
			continue
		}
		if Carries(pid, variable) && h.Signal(unix.SIGKILL) == nil {
			killed++
		}
		h.Close()
	}
	return killed
}

// Carries says whether the process was started with the variable NAME=VALUE, or
// is a fork of one that was.
func Carries(pid int, variable string) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return false // it is another user's, or gone
	}
	for kv := range bytes.SplitSeq(b, []byte{0}) {
		if string(kv) == variable {
			return true
		}
	}
	return false
}

// InExec says whether one of the processes shows no environment, as it does in
// the middle of execve(2): what it was started with is not known yet.
func InExec(pids []int) bool {
	for _, pid := range pids {
		s, err := readStat(pid)
		if err != nil || !s.runs() {
			continue
		}
		b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
		if err == nil && len(b) == 0 {
			return true
		}
	}
	return false
}
