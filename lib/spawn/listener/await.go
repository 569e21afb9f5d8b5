// Package listener knows when a process accepts connections that cannot say so
// itself.
package listener

import (
	"context"
	"log/slog"
	"net"
	"strconv"
	"time"

	"passenger/lib/proc"
)

// pollEvery is how often Await looks at the process.
const pollEvery = 15 * time.Millisecond

// lookEvery is how often Await looks whether it listens elsewhere meanwhile.
const lookEvery = 500 * time.Millisecond

// Await waits until the group's process accepts on the port or on the
// inherited socket at path, and returns that address. It is for commands that
// do not say READY=1. Meanwhile it tells elsewhere which ports the group
// listens on, until that returns true.
func Await(ctx context.Context, group, port int, path string, inode uint32, elsewhere func(ports []int) bool) (string, error) {
	probe, err := newProbe(path, inode)
	if err != nil {
		slog.Debug("inherited socket not watched", "err", err) // the port is, and READY=1
	} else {
		defer probe.close()
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	tcp := Loopback(port)
	for {
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-tick.C:
		case <-look.C:
			if elsewhere(proc.Listening(group)) {
				look.Stop()
			}
		}
		if Accepts(ctx, tcp) && proc.ListensOn(group, port) {
			return "tcp:" + tcp, nil
		}
		if probe != nil && probe.accepted() {
			return "unix:" + path, nil
		}
	}
}

// Loopback is the address of the port, as an app that is given it listens.
func Loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// Accepts says whether a connection to the address is accepted within a second.
func Accepts(ctx context.Context, tcp string) bool {
	d := net.Dialer{Timeout: time.Second}
	c, err := d.DialContext(ctx, "tcp", tcp)
	if err != nil {
		return false
	}
	c.Close()
	return true
}
