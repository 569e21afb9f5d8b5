// Package descriptors keeps some of the descriptors that the system allows from
// being used for new clients.
package descriptors

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"passenger/lib/loglimit"

	"golang.org/x/sys/unix"
)

// A Limit divides the descriptors that the system allows, RLIMIT_NOFILE. The proxy
// takes new clients while fewer than three quarters are in use. The rest is for
// what clients ask for, connections to processes and files, and for the control
// socket, so that a full proxy still serves the clients that it has and tells how
// it is. Clients that are idle go first.
type Limit struct {
	Complained loglimit.Limiter // of one for a client
	Lacking    loglimit.Limiter // of one for a process
	Evicting   loglimit.Limiter // of idle clients
	Clearing   sync.Mutex       // held while room is made

	// most is how many may be in use for another client to be taken; 0 before it
	// is known. The limit may be changed from outside, so it is read anew before
	// a client has to wait.
	most atomic.Int64
}

// read reads the limit.
func (d *Limit) read() (limit int64) {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		r.Cur = 1 << 10 // it cannot fail
	}
	limit = int64(min(r.Cur, 1<<30))
	d.most.Store(limit - limit/4)
	return limit
}

// ForClients is how many descriptors may be in use for another client to be taken.
func (d *Limit) ForClients() int64 {
	if d.most.Load() == 0 {
		d.read()
	}
	return d.most.Load()
}

// Short says that nc's descriptor is the last one for a client. The system
// hands out the lowest that is free, so all below are in use.
func (d *Limit) Short(nc net.Conn) bool {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	short := false
	err = raw.Control(func(fd uintptr) {
		if short = int64(fd) >= d.most.Load(); short {
			d.read()
			short = int64(fd) >= d.most.Load()
		}
	})
	return short && err == nil
}

// Await waits until there are enough descriptors again, or ctx ends. makeRoom may
// help to have them; pause waits a little otherwise, and says whether to go on.
func (d *Limit) Await(ctx context.Context, l net.Listener, makeRoom, pause func() bool) {
	for makeRoom() || pause() {
		if ctx.Err() != nil {
			return
		}
		limit := d.read()
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
		if err == nil {
			_ = unix.Close(fd) // it only tells the lowest that is free
			if int64(fd) < d.most.Load() {
				return
			}
		}
		if d.Complained.Due() {
			slog.Warn("new connections wait: three quarters of the descriptors are in use", "listener", l.Addr(), "limit", limit)
		}
	}
}
