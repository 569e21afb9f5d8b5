package systemd

import (
	"errors"
	"os"
	"strconv"
	"strings"
)

// FirstSocket is the first descriptor that is passed: SD_LISTEN_FDS_START.
const FirstSocket = 3

// A Socket is a descriptor that the manager passed to this process.
type Socket struct {
	FD int

	// Name is that of its socket unit, or the one under which the service had
	// it kept; see sd_listen_fds_with_names(3). It may be empty.
	Name string
}

// Pass says in the environment that this process, or the program that it
// becomes, was passed sockets under these names.
func Pass(names []string) error {
	return errors.Join(os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid())), os.Setenv("LISTEN_FDS", strconv.Itoa(len(names))),
		os.Setenv("LISTEN_FDNAMES", strings.Join(names, ":")))
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
		s := Socket{FD: FirstSocket + i}
		if i < len(names) {
			s.Name = names[i]
		}
		list = append(list, s)
	}
	return list
}
