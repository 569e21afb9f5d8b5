package proc

import (
	"bufio"
	"net/netip"
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
	var ports []int
	for _, l := range Listeners(pgid) {
		if port := int(l.Port()); !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
	}
	return ports
}

// Listeners returns the TCP addresses that processes of the group listen on.
func Listeners(pgid int) []netip.AddrPort {
	sockets := listening()
	if len(sockets) == 0 {
		return nil
	}
	var found []netip.AddrPort
	for _, pid := range Group(pgid) {
		dir := "/proc/" + strconv.Itoa(pid) + "/fd"
		fds, err := os.ReadDir(dir)
		if err != nil {
			continue // it ended meanwhile
		}
		for _, fd := range fds {
			link, err := os.Readlink(dir + "/" + fd.Name())
			if l, ok := sockets[link]; err == nil && ok && !slices.Contains(found, l) {
				found = append(found, l)
			}
		}
	}
	return found
}

// listening returns the addresses of the sockets that listen, by the sockets in
// the form of the links in /proc/PID/fd.
func listening() map[string]netip.AddrPort {
	sockets := map[string]netip.AddrPort{}
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
			if local, err := parseAddress(c[1]); err == nil {
				sockets["socket:["+c[9]+"]"] = local
			}
		}
		f.Close()
	}
	return sockets
}
