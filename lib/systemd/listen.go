package systemd

import (
	"os"
	"strconv"
	"strings"
)

// firstSocket is the first descriptor that is passed: SD_LISTEN_FDS_START.
const firstSocket = 3

// A Socket is a descriptor that the manager passed to this process.
type Socket struct {
	FD int

	// Name is that of its socket unit, or the one under which the service had
	// it kept; see sd_listen_fds_with_names(3). It may be empty.
	Name string
}

// Sockets returns those that the manager passed to this process.
func Sockets() []Socket {
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil
	}
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil {
		return nil
	}
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	var list []Socket
	for i := range n {
		s := Socket{FD: firstSocket + i}
		if i < len(names) {
			s.Name = names[i]
		}
		list = append(list, s)
	}
	return list
}
