package main

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A relay passes on what comes and looks at nothing: each client has a connection
// of its own to the upstream, and a request is two reads and two writes. It is no
// peer but the floor: no proxy in between takes less of the machine.

const floor = "a relay that looks at nothing: the floor"

// relayProxy is this program again, before the row's upstream.
func relayProxy(_ *lab, s site) (command, error) {
	exe, err := os.Executable()
	return command{args: []string{exe, "-relay", filepath.Join(s.upstream, "upstream.sock"), "-port", s.port}}, err
}

// relayNode is that before the Node.js application.
func relayNode(l *lab, s site) (command, error) {
	exe, err := os.Executable()
	const both = `/usr/bin/node app.js & exec "$0" -relay "$PORT" -port "$1"`
	return command{
		dir: l.app("node"), args: []string{"/bin/sh", "-c", both, exe, s.port},
		env: []string{"PORT=" + filepath.Join(s.dir, "app.sock")},
	}, err
}

// serveRelay relays between a port of 127.0.0.1 and a unix socket until it is
// killed or cannot go on. One thread does all, as a worker of nginx does.
func serveRelay(socket, port string) error {
	runtime.LockOSThread()
	debug.SetGCPercent(-1) // whom a call holds stops for nobody
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		return err
	}
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	listener := int(file.Fd())
	if err := unix.EpollCtl(poll, unix.EPOLL_CTL_ADD, listener, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(listener)}); err != nil {
		return err
	}
	others := map[int]int{} // the other side of each descriptor
	events := make([]unix.EpollEvent, 128)
	buffer := make([]byte, 16<<10)
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(poll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), ^uintptr(0), 0, 0)
		if errno != 0 {
			if errno == unix.EINTR {
				continue
			}
			return errno
		}
		for _, e := range events[:n] {
			fd := int(e.Fd)
			if fd == listener {
				if err := relayNew(poll, listener, socket, others); err != nil {
					return err
				}
				continue
			}
			relayOnce(fd, others, buffer)
		}
	}
}

// relayNew takes a connection and opens its other side.
func relayNew(poll, listener int, socket string, others map[int]int) error {
	client, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
	if err != nil {
		return err
	}
	_ = unix.SetsockoptInt(client, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	upstream, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Connect(upstream, &unix.SockaddrUnix{Name: socket}); err != nil {
		unix.Close(client) // the upstream is not there yet
		unix.Close(upstream)
		return nil
	}
	if err := unix.SetNonblock(upstream, true); err != nil {
		return err
	}
	for fd, other := range map[int]int{client: upstream, upstream: client} {
		others[fd] = other
		if err := unix.EpollCtl(poll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(fd)}); err != nil {
			return err
		}
	}
	return nil
}

// relayOnce passes on what fd has, and closes both sides at its end.
func relayOnce(fd int, others map[int]int, buffer []byte) {
	other, open := others[fd]
	if !open {
		return
	}
	n, errno := relayCall(unix.SYS_RECVFROM, fd, buffer)
	if errno == unix.EAGAIN {
		return
	}
	if errno == 0 && n > 0 {
		_, errno = relayCall(unix.SYS_SENDTO, other, buffer[:n]) // a request or an answer: there is room
	}
	if n == 0 || errno != 0 {
		delete(others, fd)
		delete(others, other)
		unix.Close(fd)
		unix.Close(other)
	}
}

// relayCall receives or sends once.
func relayCall(call uintptr, fd int, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}
