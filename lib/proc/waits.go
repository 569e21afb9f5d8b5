package proc

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A wait is a system call in which programs hang.
type wait struct {
	name  string
	first argument
}

// waits are those that every machine has, by number.
var waits = map[int]wait{
	unix.SYS_CONNECT: {"connect", descriptor}, unix.SYS_ACCEPT: {"accept", descriptor}, unix.SYS_ACCEPT4: {"accept4", descriptor},
	unix.SYS_READ: {"read", descriptor}, unix.SYS_READV: {"readv", descriptor}, unix.SYS_WRITE: {"write", descriptor}, unix.SYS_WRITEV: {"writev", descriptor},
	unix.SYS_RECVFROM: {"recvfrom", descriptor}, unix.SYS_RECVMSG: {"recvmsg", descriptor}, unix.SYS_SENDTO: {"sendto", descriptor}, unix.SYS_SENDMSG: {"sendmsg", descriptor},
	unix.SYS_FLOCK: {"flock", descriptor}, unix.SYS_FCNTL: {"fcntl", descriptor}, unix.SYS_FSYNC: {"fsync", descriptor},
	unix.SYS_PPOLL: {"ppoll", polled}, unix.SYS_EPOLL_PWAIT: {"epoll_pwait", nothing}, unix.SYS_PSELECT6: {"pselect6", nothing},
	unix.SYS_FUTEX: {"futex", nothing}, unix.SYS_WAIT4: {"wait4", nothing}, unix.SYS_WAITID: {"waitid", nothing},
	unix.SYS_NANOSLEEP: {"nanosleep", nothing}, unix.SYS_CLOCK_NANOSLEEP: {"clock_nanosleep", nothing}, unix.SYS_OPENAT: {"openat", nothing},
}

// An argument is what a system call's first argument is to us.
type argument int

const (
	nothing    argument = iota
	descriptor          // a file descriptor
	polled              // an array of struct pollfd, as long as the second says
)

// WaitsIn says what the process's main thread waits for in the kernel, such as
// "connect(2) to 10.0.0.1:5432" or "flock(2) on /srv/shop/tmp/lock"; empty if it
// does not wait, or if that may not be known. See proc(5), /proc/PID/syscall.
func WaitsIn(pid int) string {
	dir := "/proc/" + strconv.Itoa(pid)
	b, err := os.ReadFile(dir + "/syscall")
	if err != nil {
		return ""
	}
	f := strings.Fields(string(b))
	if len(f) < 3 {
		return "" // "running"
	}
	number, err := strconv.Atoi(f[0])
	call, known := waits[number]
	if !known {
		call, known = olderWaits[number]
	}
	if err != nil || !known {
		return ""
	}
	first, err1 := strconv.ParseUint(f[1], 0, 64)
	second, err2 := strconv.ParseUint(f[2], 0, 64)
	if err1 != nil || err2 != nil {
		return call.name + "(2)"
	}
	var on []string
	switch call.first {
	case descriptor:
		on = []string{openFile(dir, int(first))}
	case polled:
		for _, fd := range pollfds(dir, first, second) {
			on = append(on, openFile(dir, fd))
		}
	}
	on = slices.DeleteFunc(on, func(s string) bool { return s == "" })
	if len(on) == 0 {
		return call.name + "(2)"
	}
	return call.name + "(2) " + strings.Join(on, ", ")
}

// pollfds reads the descriptors of an array of struct pollfd out of the
// process's memory, the first few.
func pollfds(dir string, at, count uint64) []int {
	const size, most = 8, 4
	mem, err := os.Open(dir + "/mem")
	if err != nil {
		return nil
	}
	defer mem.Close()
	b := make([]byte, size*min(count, most))
	if _, err := mem.ReadAt(b, int64(at)); err != nil {
		return nil
	}
	var fds []int
	for ; len(b) >= size; b = b[size:] {
		fds = append(fds, int(int32(binary.NativeEndian.Uint32(b))))
	}
	return fds
}

// openFile says what a descriptor of the process is: "to ADDRESS" for a
// connection, "on PATH" for a file; empty if it says nothing to people.
func openFile(dir string, fd int) string {
	link, err := os.Readlink(dir + "/fd/" + strconv.Itoa(fd))
	if err != nil || fd < 0 {
		return ""
	}
	if inode, ok := strings.CutPrefix(link, "socket:["); ok {
		return socketPeer(dir, strings.TrimSuffix(inode, "]"))
	}
	if strings.HasPrefix(link, "/") && !strings.HasPrefix(link, "/dev/null") {
		return "on " + link
	}
	return ""
}

// socketPeer finds who a TCP socket is connected to, or tries to.
func socketPeer(dir, inode string) string {
	for _, table := range []string{"/net/tcp", "/net/tcp6"} {
		f, err := os.Open(dir + table)
		if err != nil {
			continue // no IPv6
		}
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			c := strings.Fields(lines.Text())
			if len(c) < 10 || c[9] != inode {
				continue
			}
			remote, err := parseAddress(c[2])
			if err != nil || remote.Port() == 0 {
				return ""
			}
			return "to " + remote.String()
		}
	}
	return ""
}

// parseAddress reads ADDRESS:PORT of /proc/net/tcp: words of four bytes in the
// machine's order, in hexadecimal.
func parseAddress(s string) (netip.AddrPort, error) {
	address, port, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(address)
	if err != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, fmt.Errorf("%q is not an address", s)
	}
	for i := 0; i < len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	ip, ok := netip.AddrFromSlice(b)
	number, err := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is not an address", s)
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(number)), nil
}
