package proc

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// ListensOn says whether a process of the group has a TCP socket that listens
// on the port, on any address.
func ListensOn(pgid, port int) bool {
	inodes := listening(port)
	if len(inodes) == 0 {
		return false
	}
	for _, pid := range Group(pgid) {
		dir := "/proc/" + strconv.Itoa(pid) + "/fd"
		fds, err := os.ReadDir(dir)
		if err != nil {
			continue // it ended meanwhile
		}
		for _, fd := range fds {
			if link, err := os.Readlink(dir + "/" + fd.Name()); err == nil && inodes[link] {
				return true
			}
		}
	}
	return false
}

// listening returns the sockets that listen on the port, in the form of the
// links in /proc/PID/fd.
func listening(port int) map[string]bool {
	inodes := map[string]bool{}
	suffix := fmt.Sprintf(":%04X", port)
	for _, path := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(path)
		if err != nil {
			continue // no IPv6
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			c := strings.Fields(lines.Text())
			const listen = "0A" // TCP_LISTEN
			if len(c) > 9 && c[3] == listen && strings.HasSuffix(c[1], suffix) {
				inodes["socket:["+c[9]+"]"] = true
			}
		}
		f.Close()
	}
	return inodes
}
