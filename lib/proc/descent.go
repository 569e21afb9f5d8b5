package proc

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"passenger/lib/account"
)

// Descendants returns the numbers of the processes whose parent is pid, and of
// their descendants, but for those that others says, and what is below them.
func Descendants(pid int, others func(pid int) bool) []int {
	var found []int
	for next := []int{pid}; len(next) > 0; {
		var below []int
		for _, p := range next {
			below = append(below, slices.DeleteFunc(childrenOf(strconv.Itoa(p)), others)...)
		}
		found = append(found, below...)
		next = below
	}
	return found
}

// UserOf is the name of the user that the process runs as, empty if it is gone.
func UserOf(pid int) string {
	fi, err := os.Stat("/proc/" + strconv.Itoa(pid))
	if err != nil {
		return ""
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return account.NameOf(int(st.Uid))
}

// maxCommand is how much of a command line is told, in bytes.
const maxCommand = 200

// CommandOf is the beginning of the process's command line; its name in
// brackets if it has none.
func CommandOf(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || len(b) == 0 {
		b, _ = os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		return "[" + strings.TrimSpace(string(b)) + "]"
	}
	b = bytes.TrimRight(b[:min(len(b), maxCommand)], "\x00")
	return string(bytes.ReplaceAll(b, []byte{0}, []byte{' '}))
}
