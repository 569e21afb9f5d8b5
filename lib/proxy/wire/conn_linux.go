package wire

import (
	"syscall"
	"unsafe"
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
func (t *transfer) send(fd uintptr) (int, syscall.Errno) {
	for {
		n, errno := t.sendOnce(fd)
		if errno != syscall.EINTR {
			return n, errno
		}
	}
}

func (t *transfer) sendOnce(fd uintptr) (int, syscall.Errno) {
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
