package proxy

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/loglimit"
	"passenger/lib/proxy/wire"
)

const (
	// idlePatience is how long a connection keeps its goroutine between two
	// requests: parking costs as much as a short request.
	idlePatience = 2 * time.Second

	// newPatience is how long it keeps it before the first one, and after it
	// was parked.
	newPatience = 200 * time.Millisecond
)

// A poller waits for the bytes of all clients that are quiet, so that each needs
// no goroutine and its stack and without a buffer: between requests, and while a
// head comes in parts, which are gathered here. It is a set of descriptors that
// the kernel watches, epoll(7); an event wakes the client, and so does the
// clock when its time is over. A client wakes once each time it is parked, and
// finds out for itself why.
//
// The nil poller takes no client.
type poller struct {
	file *os.File // of the set, in the runtime's poller: no thread blocks in it
	raw  syscall.RawConn
	fd   int

	mu      sync.Mutex
	clients []*client // that are parked, by descriptor

	crowd      gathering // of those that were parked
	complained loglimit.Limiter
}

// newPoller returns nil, after a warning, if the system has none to give.
func newPoller() *poller {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		slog.Warn("idle connections will need more memory", "err", err)
		return nil
	}
	k := &poller{file: os.NewFile(uintptr(fd), "epoll"), fd: fd}
	if k.raw, err = k.file.SyscallConn(); err != nil {
		slog.Warn("idle connections will need more memory", "err", err)
		k.file.Close()
		return nil
	}
	return k
}

// run wakes each client that has something to read, until ctx ends. Clients that
// are parked then wait for the clock.
func (k *poller) run(ctx context.Context) {
	if k == nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { k.file.Close() })
	defer stop()
	events, part := make([]unix.EpollEvent, 128), make([]byte, wire.Small)
	var n int
	wait := func(fd uintptr) bool {
		var err error
		n, err = unix.EpollWait(int(fd), events, 0)
		return err == nil && n > 0
	}
	for k.raw.Read(wait) == nil {
		for _, e := range events[:n] {
			if c := k.at(int(e.Fd)); c != nil && c.parked.CompareAndSwap(true, false) {
				k.attend(c, part)
			}
		}
	}
}

// attend gathers what came of a head, in part, and wakes c, which was parked,
// for all else: the head's end, so much that it may be too long, another
// request, the end of the connection.
func (k *poller) attend(c *client, part []byte) {
	n := 0
	if s := c.Socket(); c.head != nil && s != nil && !c.proxy.draining.Load() {
		n = s.ReadNow(part[:wire.Small-len(c.head)%wire.Small]) // who wakes learns the rest
	}
	if n > 0 {
		c.head = append(c.head, part[:n]...)
		if len(c.head)%wire.Small != 0 && !endsHead(c.head, n) && k.add(c) == nil {
			return
		}
	}
	c.resume()
}

// endsHead says whether the last n bytes of a head end it, or would if line
// feeds ended lines: what is wrong with that is for the parser to say.
func endsHead(head []byte, n int) bool {
	for i := max(len(head)-n, 1); i < len(head); i++ {
		if head[i] == '\n' && (head[i-1] == '\n' || i > 1 && head[i-1] == '\r' && head[i-2] == '\n') {
			return true
		}
	}
	return false
}

func (k *poller) at(fd int) *client {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.clients[fd]
}

// add parks c. Something may wake it before add returns. If it fails c is not
// parked.
func (k *poller) add(c *client) (err error) {
	operation := unix.EPOLL_CTL_MOD
	if !c.enrolled {
		operation, c.enrolled = unix.EPOLL_CTL_ADD, true
	}
	cerr := c.watch.Control(func(fd uintptr) {
		c.space = int(fd)
		k.put(c)
		c.WaitUntil(c.waitBy)
		c.parked.Store(true)
		event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLONESHOT, Fd: int32(fd)}
		err = unix.EpollCtl(k.fd, operation, int(fd), &event)
	})
	if err = errors.Join(cerr, err); err != nil {
		if cerr == nil && !c.parked.CompareAndSwap(true, false) {
			return nil // something woke it: its goroutine will learn
		}
		return err
	}
	if c.ReadExpired() || c.proxy.draining.Load() {
		c.Wake() // the clock, or the end, came before it was parked
	}
	k.crowd.add()
	return err
}

func (k *poller) put(c *client) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if c.space >= len(k.clients) {
		k.clients = append(k.clients, make([]*client, c.space+1-len(k.clients))...)
	}
	k.clients[c.space] = c
}

// forget lets go of a client that woke.
func (k *poller) forget(c *client) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.clients[c.space] == c {
		k.clients[c.space] = nil
	}
}

// mayPark says whether c may leave its goroutine: not at the end, when it has
// not long to wait.
func (c *client) mayPark() bool {
	return c.watch != nil && c.proxy.poller != nil && !c.proxy.draining.Load()
}

// run serves the client, and parks it whenever it is quiet. It belongs to
// proxy.clients until it is closed.
func (c *client) run() {
	if c.serve() {
		err := c.proxy.poller.add(c)
		if err == nil {
			return
		}
		c.proxy.poller.refused(err)
		c.Close()
	}
	c.proxy.clients.Done()
}

// Wake gives a client that is parked a goroutine again, and says whether it
// did. It may be called from any goroutine and at any time.
func (c *client) Wake() bool {
	if !c.parked.CompareAndSwap(true, false) {
		return false
	}
	c.resume()
	return true
}

// resume is for who ended its being parked.
func (c *client) resume() {
	go func() {
		c.proxy.poller.forget(c)
		if c.EndRead() != nil {
			c.Rearm()
		}
		c.run()
	}()
}

// refused logs, at most once a second, that the system watches no more
// descriptors for us.
func (k *poller) refused(err error) {
	if k.complained.Due() {
		slog.Warn("idle connections are closed: the system cannot watch them", "err", err)
	}
}
