package wire

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The descriptors are non-blocking, so these calls never hold their thread and
// the scheduler need not hear of them: RawSyscall.

func receive(fd uintptr, p []byte, flags uintptr) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd,
			uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), flags|syscall.MSG_DONTWAIT, 0, 0)
		if errno == 0 {
			return int(n), 0
		}
		if errno != syscall.EINTR {
			return 0, errno
		}
	}
}

// send sends from t.p and t.p2 once.
func (t *dispatch) send(fd uintptr) (int, syscall.Errno) {
	for {
		n, errno := t.sendOnce(fd)
		if errno != syscall.EINTR {
			return n, errno
		}
	}
}

func (t *dispatch) sendOnce(fd uintptr) (int, syscall.Errno) {
	const flags = syscall.MSG_DONTWAIT | syscall.MSG_NOSIGNAL
	p := t.p
	switch {
	case len(t.p) == 0:
		p = t.p2
	case len(t.p2) > 0:
		t.iov[0] = syscall.Iovec{Base: unsafe.SliceData(t.p), Len: uint64(len(t.p))}
		t.iov[1] = syscall.Iovec{Base: unsafe.SliceData(t.p2), Len: uint64(len(t.p2))}
		msg := syscall.Msghdr{Iov: &t.iov[0], Iovlen: 2}
		n, _, errno := syscall.RawSyscall(syscall.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&msg)), flags)
		t.iov = [2]syscall.Iovec{}
		return int(n), errno
	}
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, fd,
		uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), flags, 0, 0)
	return int(n), errno
}

// poll returns which of events, and of those that always count, are there.
func poll(fd uintptr, events int16) int16 {
	p := []unix.PollFd{{Fd: int32(fd), Events: events}}
	_, _ = unix.Poll(p, 0) // interrupted is as good as none
	return p[0].Revents
}

func (s *Socket) gone() (end, broken bool) {
	err := s.raw.Control(func(fd uintptr) {
		var one [1]byte
		n, errno := receive(fd, one[:], syscall.MSG_PEEK)
		end = errno == 0 && n == 0
		// A connection whose peer ended its sending side and then reset it goes
		// on to read as ended.
		broken = errno != 0 && errno != syscall.EAGAIN || end && poll(fd, 0)&(unix.POLLHUP|unix.POLLERR) != 0
	})
	return end, broken || err != nil
}

func (s *Socket) say(text []byte) (said, ok bool) {
	t := dispatch{p: text}
	err := s.raw.Control(func(fd uintptr) {
		n, errno := t.send(fd)
		said = errno == 0 && n == len(text)
		ok = said || errno == syscall.EAGAIN
	})
	return said, ok && err == nil
}

// HasNews reports whether the client on raw sent something, or ended.
func HasNews(raw syscall.RawConn) (news bool) {
	err := raw.Control(func(fd uintptr) { news = poll(fd, unix.POLLIN|unix.POLLRDHUP) != 0 })
	return news || err != nil
}
