package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/cli"
	"passenger/lib/fdstore"
	"passenger/lib/proxy/listen"
	"passenger/lib/statedir"
	"passenger/lib/systemd"
)

// A place is what a proxy takes when it starts: the state directory, and the
// sockets of the proxy before it.
type place struct {
	dir     statedir.Dir
	lock    *statedir.Lock
	old     *listen.Predecessor // lives, and serves on until it is told otherwise; nil if none does
	sockets *listen.Sockets
}

// deathTime is how long a proxy that cannot hand over may take to be gone. One
// that was killed holds the lock until the kernel has closed its descriptors.
const deathTime = time.Second

// takePlace takes the state directory from the proxy that has it, else what is
// left of the last one.
func (c *serveCommand) takePlace(cmd *command) (*place, error) {
	for end := time.Now().Add(deathTime); ; time.Sleep(deathTime / 100) {
		dir, lock, err := cmd.TakeStateDir(statedir.Proxy)
		if err == nil {
			return &place{dir: dir, lock: lock, sockets: c.left(dir)}, nil
		}
		if !errors.Is(err, statedir.ErrLocked) {
			return nil, err
		}
		at, err := succeed(cmd.StatePath())
		if err == nil || time.Now().After(end) {
			return at, err
		}
	}
}

// succeed takes over from the proxy that runs on the state directory at path.
func succeed(path string) (*place, error) {
	dir, err := statedir.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot start: %w", err)
	}
	old, err := listen.Succeed(dir.Handover())
	if err != nil {
		err = fmt.Errorf("cannot take over from the proxy that runs (pid %d): %w", dir.Holder(statedir.Proxy), err)
		return nil, cli.Hint(err, "it does so unless it is stopped or stopping; see \"passenger-status\"")
	}
	fdstore.CloseAll(passed()) // those of the proxy that lives count
	return &place{dir: dir, lock: statedir.Adopted(old.Lock), old: old, sockets: &old.Sockets}, nil
}

// take has the proxy before us, if there is one, accept no more. Whatever could
// keep us from serving comes before.
func (p *place) take() error {
	if p.old == nil {
		return nil
	}
	if err := p.old.Ready(); err != nil {
		return fmt.Errorf("cannot take over: %w", err)
	}
	if err := p.lock.Sign(); err != nil {
		slog.Warn("could not write our number into the lock", "err", err)
	}
	return nil
}

func (p *place) leave() {
	if p.old != nil {
		p.old.Close()
	}
	p.lock.Unlock()
}

// passed are the sockets that were kept for us by who started us: systemd, or
// what "passenger-proxy hold" became. What does not listen is none of them: the
// number is something else's by now.
func passed() []fdstore.Socket {
	var list []fdstore.Socket
	for _, s := range systemd.Sockets() {
		address, ok := fdstore.Address(s.Name)
		if listens, err := unix.GetsockoptInt(s.FD, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); !ok || err != nil || listens == 0 {
			continue
		}
		unix.CloseOnExec(s.FD)
		list = append(list, fdstore.Socket{Address: address, FD: s.FD})
	}
	return list
}

// left returns the sockets of a proxy that crashed: those that were passed, and
// those that the spawner kept.
func (c *serveCommand) left(dir statedir.Dir) *listen.Sockets {
	var left listen.Sockets
	for _, s := range passed() {
		left.Add(s.Address, s.FD)
	}
	kept, err := fdstore.Take(dir.KeptSockets(), c.Listen)
	if err != nil {
		slog.Warn("could not get the sockets that the spawner keeps", "err", err)
	}
	for _, s := range kept {
		left.Add(s.Address, s.FD)
	}
	return &left
}

// addresses settles where to listen: as told, else at the sockets of systemd,
// else where the proxy before us did, else at the default.
func (c *serveCommand) addresses(before *listen.Sockets) {
	if len(c.Listen) == 0 {
		c.Listen = inherited()
	}
	if len(c.Listen) == 0 {
		c.Listen = append(c.Listen, before.Addresses()...)
	}
	if len(c.Listen) == 0 {
		c.Listen = []string{":3000"}
	}
}

// socketForTLS is the name of a socket unit (FileDescriptorName=) whose clients
// begin with a TLS handshake.
const socketForTLS = "https"

// inherited returns the addresses of the sockets that systemd passed, but for
// those that it only kept for us. Their order means nothing: names do.
func inherited() []string {
	var list []string
	for _, s := range systemd.Sockets() {
		_, ours := fdstore.Address(s.Name)
		switch {
		case ours:
		case s.Name == socketForTLS:
			list = append(list, fmt.Sprintf("tls:fd:%d", s.FD))
		default:
			list = append(list, fmt.Sprintf("fd:%d", s.FD))
		}
	}
	return list
}

// listen listens at each address, on the socket of the proxy before us if it
// has one there. Its others are closed.
func (c *serveCommand) listen(at *place) ([]net.Listener, error) {
	before := at.sockets
	defer before.Close()
	before.Narrow(c.Listen)
	var list []net.Listener
	for _, address := range c.Listen {
		l, err := before.Listen(address, c.socketFile(address, at.dir))
		if err != nil {
			// The files of unix sockets may be another's: they stay.
			return nil, listenError(address, err)
		}
		list = append(list, l)
	}
	return list, nil
}

// shown are the addresses for those who want to connect: a port that was left
// to the system is the one that it chose.
func (c *serveCommand) shown(listeners []net.Listener) []string {
	list := slices.Clone(c.Listen)
	for i, address := range list {
		list[i] = shownAt(address, listeners[i])
	}
	return list
}

func shownAt(address string, l net.Listener) string {
	host, chosen := strings.CutSuffix(address, ":0")
	if a, ok := l.Addr().(*net.TCPAddr); ok && chosen {
		return host + ":" + strconv.Itoa(a.Port)
	}
	return address
}

// deposit is what is to be kept beside us: the listeners but those on inherited
// descriptors, which are their giver's to keep.
func (c *serveCommand) deposit(dir statedir.Dir, listeners []net.Listener) *fdstore.Deposit {
	d := &fdstore.Deposit{Path: dir.KeptSockets()}
	var kept []net.Listener
	for i, address := range c.Listen {
		if !strings.HasPrefix(strings.TrimPrefix(address, "tls:"), "fd:") {
			d.Addresses, kept = append(d.Addresses, address), append(kept, listeners[i])
		}
	}
	d.With = func(f func([]int) error) error { return listen.WithDescriptors(kept, f) }
	return d
}

// keepAt has the service manager keep the sockets of d too, and no others of
// ours. It closes them when the service is stopped, and not when it is
// restarted.
func keepAt(m *systemd.Manager, d *fdstore.Deposit) {
	if m == nil {
		return
	}
	for _, s := range systemd.Sockets() {
		if _, ours := fdstore.Address(s.Name); ours {
			m.Forget(s.Name)
		}
	}
	err := d.With(func(fds []int) error {
		for i, fd := range fds {
			if err := m.Keep(fdstore.Name(d.Addresses[i]), fd); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		slog.Warn("could not give the sockets to the service manager", "err", err)
	}
}
