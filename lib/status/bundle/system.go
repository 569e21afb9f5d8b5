package bundle

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"passenger/lib/status"
)

// mostLimits is of how many processes of an app the limits are taken.
const mostLimits = 2

// system adds versions, and the limits and control groups of daemons and
// processes.
func (c *collection) system(st status.Status, caller status.Caller) {
	c.text("versions.txt", versions(st, caller))
	for _, p := range st.Parts {
		c.process("passenger-"+p.Name, p.PID)
	}
	for _, a := range st.Apps {
		for i, p := range a.Processes {
			if i < mostLimits {
				c.process(a.Name, p.PID)
			}
		}
	}
}

func versions(st status.Status, caller status.Caller) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s, %s %s/%s\n", caller.Program, caller.Release, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	for _, p := range st.Parts {
		fmt.Fprintf(&b, "passenger-%s %s, %s\n", p.Name, p.Release, p.State)
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		fmt.Fprintf(&b, "%s %s %s\n", unix.ByteSliceToString(u.Sysname[:]), unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Version[:]))
	}
	if text, err := os.ReadFile("/etc/os-release"); err == nil {
		b.Write(text)
	}
	return b.String()
}

// process adds what limits a process. One that is gone has nothing.
func (c *collection) process(name string, pid int) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	limits, err := os.ReadFile(filepath.Join(dir, "limits"))
	if pid <= 0 || err != nil {
		return
	}
	var b strings.Builder
	b.Write(limits)
	groups, _ := os.ReadFile(filepath.Join(dir, "cgroup")) // none: it has just ended
	fmt.Fprintf(&b, "\ncontrol groups:\n%s", groups)
	for line := range strings.Lines(string(groups)) {
		if group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			b.WriteString(settings(filepath.Join("/sys/fs/cgroup", group)))
		}
	}
	c.text(fmt.Sprintf("limits/%s-%d.txt", name, pid), b.String())
}

// settings are those of a control group that it has.
func settings(group string) string {
	var b strings.Builder
	for _, name := range []string{"memory.max", "memory.high", "memory.current", "memory.events", "pids.max", "pids.current", "cpu.max", "cpu.weight", "cpu.stat"} {
		if text, err := os.ReadFile(filepath.Join(group, name)); err == nil {
			fmt.Fprintf(&b, "%s:\n%s", name, text)
		}
	}
	return b.String()
}
