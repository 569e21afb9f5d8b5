package proc

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// KeepSettled calls [Settle] when the start is over, and then now and then
// until ctx ends: soon after the work that is done every half minute, which
// touches more than all between. A call costs a garbage collection, and after it
// a few page faults: it is left out when idle, unless that is nil, says no.
func KeepSettled(ctx context.Context, idle func() bool) {
	for after := 3 * time.Second; ; after = min(after*4, 10*time.Second) {
		select {
		case <-time.After(after):
			if idle == nil || idle() {
				Settle()
			}
		case <-ctx.Done():
			return
		}
	}
}

// Settle gives back the memory that only the start of this program needed: the
// garbage of its heap, and those pages of its own file that its initialisation
// touched. The latter are 5 of the 10 MB that a daemon of ours has resident
// after its start. The kernel maps again what is still used at its next use,
// from the page cache.
func Settle() {
	debug.FreeOSMemory()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	for lines := bufio.NewScanner(bytes.NewReader(maps)); lines.Scan(); {
		if start, end, ok := clean(lines.Text(), exe); ok {
			// An error leaves the pages where they are.
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, start, end-start, unix.MADV_DONTNEED)
		}
	}
}

// clean reads a line of /proc/PID/maps and says whether it is of the file exe
// and mapped without the right to write, so that no page of it can differ from
// the file.
func clean(line, exe string) (start, end uintptr, ok bool) {
	f := strings.Fields(line)
	if len(f) < 6 || f[5] != exe || strings.Contains(f[1], "w") {
		return 0, 0, false
	}
	from, to, _ := strings.Cut(f[0], "-")
	a, err := strconv.ParseUint(from, 16, 64)
	if err != nil {
		return 0, 0, false
	}
	b, err := strconv.ParseUint(to, 16, 64)
	return uintptr(a), uintptr(b), err == nil && b > a
}
