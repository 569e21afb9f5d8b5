package main

import (
	"fmt"
	"net"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"passenger/lib/account"
	"passenger/lib/fdstore"
	"passenger/lib/proc"
	"passenger/lib/proxy/listen"
	"passenger/lib/systemd"
)

// hold is for who starts proxies and is no systemd: a program that was started
// with the sockets has them as long as it lives, whatever it is, and so have
// the proxies that it starts.
type holdCommand struct {
	Listen []string `short:"l" required:"" placeholder:"ADDR" help:"The address, as for serve. May be repeated."`
	User   string   `placeholder:"NAME" help:"Make the files of unix sockets as this user, the proxy's, where apps run as other users. Needs root."`

	Command []string `arg:"" passthrough:"partial" name:"command" help:"The command to become, after --."`
}

// Run listens, and becomes the command. As that it has the sockets under the
// names by which a proxy knows what was kept for it.
func (c *holdCommand) Run() error {
	args := c.Command
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return usage("no command is given")
	}
	var listeners []net.Listener
	var names []string
	for _, address := range c.Listen {
		l, plain, err := c.listen(address)
		if err != nil {
			return err
		}
		listeners, names = append(listeners, l), append(names, fdstore.Name(plain))
	}
	err := systemd.Pass(names)
	if err == nil {
		err = listen.WithDescriptors(listeners, func(fds []int) error {
			if err := pass(fds); err != nil {
				return err
			}
			return proc.Exec(args, os.Environ())
		})
	}
	for _, l := range listeners {
		l.Close() // and the files of unix sockets go
	}
	return fmt.Errorf("cannot run: %w", err)
}

// listen returns a listener at the address, and that without its options.
func (c *holdCommand) listen(address string) (l net.Listener, plain string, err error) {
	if strings.HasPrefix(strings.TrimPrefix(address, "tls:"), "fd:") {
		return nil, "", usage("--listen: %q is held by who passed it", address)
	}
	plain, file, err := listen.ParseSocket(address)
	if err != nil {
		return nil, "", usage("--listen: %w", err)
	}
	do := func(f func() error) error { return f() }
	if c.User != "" && strings.Contains(plain, "unix:") {
		u, err := account.System.User(c.User)
		if err != nil {
			return nil, "", fmt.Errorf("--user: %w", err)
		}
		groups, err := account.System.GroupsOf(u, u.GID)
		if err != nil {
			return nil, "", fmt.Errorf("--user: %w", err)
		}
		file.Usual = privateSocket
		do = proc.User{UID: u.UID, GID: u.GID, Groups: groups}.Do
	}
	err = do(func() (err error) {
		l, err = listen.At(plain, file)
		return err
	})
	if err != nil {
		return nil, "", listenError(address, err)
	}
	return l, plain, nil
}

// pass puts the descriptors where who is started finds them. What the runtime
// had there is lost: the caller becomes another program next.
func pass(fds []int) error {
	for i, fd := range fds { // out of the way of one another
		high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, systemd.FirstSocket+len(fds))
		if err != nil {
			return fmt.Errorf("pass a socket: %w", err)
		}
		fds[i] = high
	}
	for i, fd := range fds {
		if err := unix.Dup3(fd, systemd.FirstSocket+i, 0); err != nil {
			return fmt.Errorf("pass a socket: %w", err)
		}
	}
	return nil
}
