package main

import (
	"errors"
	"fmt"
	"net"
	"os"

	"passenger/lib/account"
	"passenger/lib/statedir"
	"passenger/lib/unixsock"
)

// tools are the sockets at which the state directory's tools and the next proxy
// find us. They are made under other names while the proxy before us still has
// theirs: a full disk or an unknown group must stop us before it stops.
type tools struct {
	dir      statedir.Dir
	control  *net.UnixListener
	handover *net.UnixListener
	group    *account.Group // may call control; nil if none may
}

// The names of the two until they are published, no longer than those after.
const (
	nextControl  = "proxy-next"
	nextHandover = "handover-next"
)

// listenToTools makes the sockets. The lock, or the talk with the proxy before us,
// keeps others from doing so at the same time.
func (c *serveCommand) listenToTools(dir statedir.Dir) (*tools, error) {
	t := &tools{dir: dir}
	var err error
	if t.control, t.group, err = c.ControlSocket.Listen(dir, nextControl); err != nil {
		return nil, err
	}
	if t.handover, err = unixsock.Listen(dir.Socket(nextHandover), 0o600); err != nil {
		t.discard()
		return nil, fmt.Errorf("cannot start: %w", err)
	}
	return t, nil
}

// publish gives them their names.
func (t *tools) publish() error {
	return errors.Join(
		os.Rename(t.dir.Socket(nextControl), t.dir.Socket(statedir.Proxy)),
		os.Rename(t.dir.Socket(nextHandover), t.dir.Handover()),
	)
}

// discard removes them again. Once they are published their first names are the
// next proxy's.
func (t *tools) discard() {
	_ = os.Remove(t.dir.Socket(nextControl)) // else there is none
	_ = os.Remove(t.dir.Socket(nextHandover))
}
