package proc

import (
	"bufio"
	"os"
	"slices"
	"strconv"
	"strings"
)

// ListensOn says whether a process of the group has a TCP socket that listens
// on the port, on any address.
func ListensOn(pgid, port int) bool {
	return slices.Contains(Listening(pgid), port)
}

// Listening returns the TCP ports that processes of the group listen on.
func Listening(pgid int) []int {
	sockets := listening()
	if len(sockets) == 0 {
		return nil
	}
	var ports []int
	for _, pid := range Group(pgid) {
		dir := "/proc/" + strconv.Itoa(pid) + "/fd"
		fds, err := os.ReadDir(dir)
		if err != nil {
			continue // it ended meanwhile
		}
		for _, fd := range fds {
			link, err := os.Readlink(dir + "/" + fd.Name())
			if port := sockets[link]; err == nil && port != 0 && !slices.Contains(ports, port) {
				ports = append(ports, port)
			}
		}
	}
	return ports
}

// listening returns the ports of the sockets that listen, by the sockets in
// the form of the links in /proc/PID/fd.
func listening() map[string]int {
	sockets := map[string]int{}
	for _, path := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(path)
		if err != nil {
			continue // no IPv6
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			c := strings.Fields(lines.Text())
			const listen = "0A" // TCP_LISTEN
			if len(c) < 10 || c[3] != listen {
				continue
			}
			_, hex, _ := strings.Cut(c[1], ":") // ADDRESS:PORT
			if port, err := strconv.ParseUint(hex, 16, 16); err == nil {
				sockets["socket:["+c[9]+"]"] = int(port)
			}
		}
		f.Close()
	}
	return sockets
}
