package cli

import (
	"fmt"
	"io/fs"
	"net"

	"passenger/lib/account"
	"passenger/lib/statedir"
	"passenger/lib/unixsock"
)

// A ControlSocket holds the flag that every daemon has for its control socket.
type ControlSocket struct {
	ControlGroup string `placeholder:"GROUP" help:"Let members of this group call the daemon too."`
}

// Group looks the group up, nil if none is named.
func (c ControlSocket) Group() (*account.Group, error) {
	if c.ControlGroup == "" {
		return nil, nil
	}
	g, err := account.System.Group(c.ControlGroup)
	if err != nil {
		return nil, Hint(fmt.Errorf("--control-group: %w", err), "make it with \"groupadd --system %s\", or name another", c.ControlGroup)
	}
	return &g, nil
}

// Listen listens on the control socket of a daemon, for the group too.
func (c ControlSocket) Listen(dir statedir.Dir, daemon string) (*net.UnixListener, *account.Group, error) {
	group, err := c.Group()
	if err != nil {
		return nil, nil, err
	}
	l, err := ListenControl(dir, daemon, group)
	return l, group, err
}

// ListenControl listens on the control socket of a daemon, for the group too
// unless it is nil.
func ListenControl(dir statedir.Dir, daemon string, group *account.Group) (*net.UnixListener, error) {
	mode, gid := fs.FileMode(0o600), -1
	if group != nil {
		mode, gid = 0o660, group.GID
	}
	l, err := unixsock.ListenFor(dir.Socket(daemon), mode, gid)
	if err != nil {
		return nil, fmt.Errorf("cannot start: %w", err)
	}
	return l, nil
}
