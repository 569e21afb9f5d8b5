package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"

	"passenger/lib/account"
	"passenger/lib/cli"
	"passenger/lib/proxy/forwarded"
	"passenger/lib/proxy/listen"
	"passenger/lib/statedir"
)

// privateSocket is the mode of a unix socket where apps run as other users.
const privateSocket = 0o660

// readSockets takes the options off the addresses of unix sockets.
func (c *serveCommand) readSockets() error {
	c.sockets = map[string]listen.SocketFile{}
	for i, address := range c.Listen {
		plain, file, err := listen.ParseSocket(address)
		if err != nil {
			return usage("--listen: %w", err)
		}
		c.Listen[i], c.sockets[plain] = plain, file
	}
	return nil
}

// socketFile says who may connect to the socket of an address. Where apps run as
// users of their own, the state directory is root's or the spawner's, and not
// ours.
func (c *serveCommand) socketFile(address string, dir statedir.Dir) listen.SocketFile {
	file := c.sockets[address]
	fi, err := os.Stat(dir.Path())
	if err != nil {
		return file
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		file.Usual = privateSocket
	}
	return file
}

// trustedPeers are the users and groups of --trusted-peer.
func (c *serveCommand) trustedPeers() (p forwarded.Peers, err error) {
	for _, name := range c.TrustedPeer {
		if group, ok := strings.CutPrefix(name, "@"); ok {
			g, err := account.System.Group(group)
			if err != nil {
				return p, cli.Hint(fmt.Errorf("--trusted-peer: %w", err), "it takes a user, or a group after @")
			}
			p.GIDs = append(p.GIDs, g.GID)
			continue
		}
		u, err := account.System.User(name)
		if err != nil {
			return p, cli.Hint(fmt.Errorf("--trusted-peer: %w", err), "it takes a user, or a group after @")
		}
		p.UIDs = append(p.UIDs, u.UID)
	}
	return p, nil
}
