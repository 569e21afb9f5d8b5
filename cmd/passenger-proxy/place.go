package main

import (
	"errors"
	"fmt"
	"net"

	"passenger/lib/cli"
	"passenger/lib/proxy"
	"passenger/lib/statedir"
)

// takePlace takes the state directory, from the proxy that has it if there is
// one: then that is returned too, and serves on until it is told otherwise.
func (c *serveCommand) takePlace(cmd *command) (statedir.Dir, *statedir.Lock, *proxy.Predecessor, error) {
	dir, lock, err := cmd.TakeStateDir(statedir.Proxy)
	if !errors.Is(err, statedir.ErrLocked) {
		return dir, lock, nil, err
	}
	if dir, err = statedir.Open(cmd.StatePath()); err != nil {
		return dir, nil, nil, fmt.Errorf("cannot start: %w", err)
	}
	old, err := proxy.Succeed(dir.Handover())
	if err != nil {
		err = fmt.Errorf("cannot take over from the proxy that runs (pid %d): %w", dir.Holder(statedir.Proxy), err)
		return dir, nil, nil, cli.Hint(err, "it does so unless it is stopped or stopping; see \"passenger-status\"")
	}
	return dir, statedir.Adopted(old.Lock), old, nil
}

// addresses settles where to listen: as told, else at the sockets of systemd,
// else where the old proxy does, else at the default.
func (c *serveCommand) addresses(old *proxy.Predecessor) {
	if len(c.Listen) == 0 {
		c.Listen = proxy.Inherited()
	}
	if len(c.Listen) == 0 && old != nil {
		c.Listen = old.Addresses()
	}
	if len(c.Listen) == 0 {
		c.Listen = []string{":3000"}
	}
}

func (c *serveCommand) listen(old *proxy.Predecessor) ([]net.Listener, error) {
	open := proxy.Listen
	if old != nil {
		open = old.Listen
	}
	var list []net.Listener
	for _, address := range c.Listen {
		l, err := open(address)
		if err != nil {
			// The files of unix sockets may be another's: they stay.
			return nil, listenError(address, err)
		}
		list = append(list, l)
	}
	return list, nil
}
