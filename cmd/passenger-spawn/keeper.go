package main

import (
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"passenger/lib/account"
	"passenger/lib/control"
	"passenger/lib/fdstore"
	"passenger/lib/unixsock"
)

// openKeeper listens where the proxy brings its listening sockets, to be kept for
// its successor.
func (st *station) openKeeper(group *account.Group) error {
	mode, gid := fs.FileMode(0o600), -1
	if group != nil {
		mode, gid = 0o660, group.GID
	}
	l, err := unixsock.ListenFor(st.dir.KeptSockets(), mode, gid)
	if err != nil {
		return fmt.Errorf("cannot start: %w", err)
	}
	defer l.Close()
	st.keeper, err = l.File()
	return err
}

// adopt takes over the sockets that a predecessor kept. A predecessor of a version
// that kept none had no socket to bring them to: then adopt makes that.
func (st *station) adopt(inherited map[string]*os.File, group *account.Group) error {
	var kept []fdstore.Socket
	for name, f := range inherited {
		address, ok := fdstore.Address(name)
		if !ok {
			continue
		}
		// An os.File would be in Go's poller, which wakes for each client.
		fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		f.Close()
		if err != nil {
			return fmt.Errorf("keep the socket at %q: %w", address, err)
		}
		kept = append(kept, fdstore.Socket{Address: address, FD: fd})
	}
	st.store.Adopt(kept)
	if st.keeper = inherited[inheritedKeeper]; st.keeper == nil {
		return st.openKeeper(group)
	}
	return nil
}

// handOn adds copies of what is kept to the files for a successor. release
// closes them.
func (st *station) handOn(files map[string]*os.File) (release func(), err error) {
	var copies []*os.File
	release = func() {
		for _, f := range copies {
			f.Close()
		}
	}
	for _, s := range st.store.Kept() {
		fd, err := unix.FcntlInt(uintptr(s.FD), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			release()
			return nil, fmt.Errorf("hand on the socket at %q: %w", s.Address, err)
		}
		name := fdstore.Name(s.Address)
		f := os.NewFile(uintptr(fd), name)
		copies, files[name] = append(copies, f), f
	}
	return release, nil
}

// count adds what is kept to the metrics.
func (st *station) count(server *control.Server) {
	others := server.Metrics
	server.Metrics = func(m *control.Metrics) {
		others(m)
		m.Gauge("passenger_spawn_kept_sockets", "Listening sockets of the proxy that are kept for its successor.", float64(len(st.store.Kept())))
	}
}
