package proxy

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

// Descriptors are limited: RLIMIT_NOFILE. New clients are taken only while
// three quarters of them are not in use. The rest is for what clients ask for,
// connections to processes and files, and for the control socket, so that a
// proxy that is full still serves whom it took and tells how it is. Clients that are
// idle go first.
type descriptors struct {
	complained loglimit.Limiter // of one for a client
	lacking    loglimit.Limiter // of one for a process
	evicting   loglimit.Limiter // of idle clients
	clearing   sync.Mutex       // held by who makes room

	// most is how many may be in use for another client to be taken; 0 before it
	// is known. The limit may be changed from outside, so it is read anew before
	// a client has to wait.
	most atomic.Int64
}

// read reads the limit.
func (d *descriptors) read() (limit int64) {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		r.Cur = 1 << 10 // it cannot fail
	}
	limit = int64(min(r.Cur, 1<<30))
	d.most.Store(limit - limit/4)
	return limit
}

// short says that nc's descriptor is the last one for a client. The system
// hands out the lowest that is free, so all below are in use.
func (d *descriptors) short(nc net.Conn) bool {
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

// await waits until there are enough descriptors again, which makeRoom may help
// to have.
func (d *descriptors) await(ctx context.Context, l net.Listener, makeRoom func() bool) {
	for makeRoom() || pause(ctx) {
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
		if d.complained.Due() {
			slog.Warn("new connections wait: three quarters of the descriptors are in use", "listener", l.Addr(), "limit", limit)
		}
	}
}
