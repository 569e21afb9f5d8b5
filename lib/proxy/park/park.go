// Package park has the kernel watch the connections of clients that are quiet,
// so that each needs no goroutine with its stack, and no buffer, meanwhile.
package park

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"passenger/lib/loglimit"
)

// A Guest is whose connection is parked.
type Guest interface {
	// Attend is called once the connection has something to read or is over. The
	// guest is not parked any more then. Part is room to read into, until Attend
	// returns.
	Attend(part []byte)
}

// A Space is a guest's, for as long as its connection lives. That of a connection
// which was never parked is zero.
type Space struct {
	taken atomic.Bool
	known bool // the set has had the connection before
	fd    int
}

// Taken says whether the guest is parked.
func (s *Space) Taken() bool { return s.taken.Load() }

// Leave ends that, and says whether it did. It may be called from any goroutine
// and at any time; who left calls Forget.
func (s *Space) Leave() bool { return s.taken.CompareAndSwap(true, false) }

// A Lot is where guests are parked: a set of descriptors that the kernel watches,
// epoll(7). A guest wakes once each time it is parked, and finds out for itself
// why.
type Lot struct {
	file *os.File // of the set, in the runtime's poller: no thread blocks in it
	raw  syscall.RawConn
	fd   int
	room int // bytes of a part

	mu     sync.Mutex
	places []place // of those that are parked, by descriptor

	complained loglimit.Limiter
}

type place struct {
	guest Guest
	space *Space
}

// New returns a lot whose guests have parts of room bytes; nil, after a warning,
// if the system has none to give.
func New(room int) *Lot {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		slog.Warn("idle connections will need more memory", "err", err)
		return nil
	}
	l := &Lot{file: os.NewFile(uintptr(fd), "epoll"), fd: fd, room: room}
	if l.raw, err = l.file.SyscallConn(); err != nil {
		slog.Warn("idle connections will need more memory", "err", err)
		l.file.Close()
		return nil
	}
	return l
}

// Run has each guest attend to what its connection brings, until ctx ends. The
// nil lot has none.
func (l *Lot) Run(ctx context.Context) {
	if l == nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { l.file.Close() })
	defer stop()
	events, part := make([]unix.EpollEvent, 128), make([]byte, l.room)
	var n int
	wait := func(fd uintptr) bool {
		var err error
		n, err = unix.EpollWait(int(fd), events, 0)
		return err == nil && n > 0
	}
	for l.raw.Read(wait) == nil {
		for _, e := range events[:n] {
			if p := l.at(int(e.Fd)); p.guest != nil && p.space.Leave() {
				p.guest.Attend(part)
			}
		}
	}
}

func (l *Lot) at(fd int) place {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.places[fd]
}

// Add parks g, whose connection watch is, in s. Something may end that before Add
// returns; if Add fails, g is not parked.
func (l *Lot) Add(g Guest, s *Space, watch syscall.RawConn) (err error) {
	operation := unix.EPOLL_CTL_MOD
	if !s.known {
		operation, s.known = unix.EPOLL_CTL_ADD, true
	}
	cerr := watch.Control(func(fd uintptr) {
		s.fd = int(fd)
		l.put(place{g, s})
		s.taken.Store(true)
		event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLONESHOT, Fd: int32(fd)}
		err = unix.EpollCtl(l.fd, operation, int(fd), &event)
	})
	if err = errors.Join(cerr, err); err == nil {
		return nil
	}
	if cerr == nil && !s.Leave() {
		return nil // something woke it: its goroutine will learn
	}
	if l.complained.Due() {
		slog.Warn("idle connections are closed: the system cannot watch them", "err", err)
	}
	return err
}

func (l *Lot) put(p place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.space.fd >= len(l.places) {
		l.places = append(l.places, make([]place, p.space.fd+1-len(l.places))...)
	}
	l.places[p.space.fd] = p
}

// Forget lets go of a guest that left its space.
func (l *Lot) Forget(s *Space) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.places[s.fd].space == s {
		l.places[s.fd] = place{}
	}
}
