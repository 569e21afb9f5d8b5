// Package farend tells whose process a TCP connection of this machine reached.
//
// A port has no owner: when the process that listened there is gone, any user may
// listen in its place. A program that is about to send a secret there asks first.
package farend

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// ErrUnknown says that the kernel does not tell whose sockets are.
var ErrUnknown = errors.New("the kernel does not tell whose a TCP socket is")

// A StrangerError says that another user's process is at the other end.
type StrangerError struct {
	Address   netip.AddrPort
	UID, Want int
}

func (e *StrangerError) Error() string {
	return fmt.Sprintf("%v is listened on by a process of user %d, not of %d", e.Address, e.UID, e.Want)
}

// Check returns a *StrangerError unless the process at the other end of a
// connection over the loopback interface is the user's, or root's. It returns
// ErrUnknown if the kernel cannot be asked.
func Check(c net.Conn, uid int) error {
	local, ok1 := c.LocalAddr().(*net.TCPAddr)
	remote, ok2 := c.RemoteAddr().(*net.TCPAddr)
	if !ok1 || !ok2 || !remote.IP.IsLoopback() {
		return nil // not of this machine
	}
	q, err := newQuery()
	if err != nil {
		return err
	}
	defer q.close()
	from, to := addrPort(local), addrPort(remote)
	// A connection that no process has accepted yet belongs to none; the kernel
	// will give it to the listening process. While it waits, that is the same one.
	for range 2 {
		s, err := q.find(to, from)
		if errors.Is(err, unix.ENOENT) {
			return q.closed(from, to)
		}
		if err != nil {
			return err
		}
		// Servers that begin as root accept as whom they like.
		if s.inode != 0 && uid != 0 {
			return s.check(to, uid)
		}
		s, err = q.find(to, netip.AddrPortFrom(unspecified(to.Addr()), 0))
		if errors.Is(err, unix.ENOENT) {
			continue // it has stopped to listen meanwhile
		}
		if err != nil {
			return err
		}
		if err := s.check(to, uid); err != nil || uid == 0 {
			return err
		}
	}
	return nil
}

// closed returns nil if the connection has no other end any more, so that no
// process can read what is sent. A kernel that knows no sockets of TCP does not know
// ours either.
func (q *query) closed(from, to netip.AddrPort) error {
	if _, err := q.find(from, to); errors.Is(err, unix.ENOENT) {
		return unknown(err)
	} else if err != nil {
		return err
	}
	return nil
}

func addrPort(a *net.TCPAddr) netip.AddrPort {
	ap := a.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

func unspecified(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// A socket is what the kernel tells of one.
type socket struct {
	uid   int
	inode uint32 // 0 if no process has it
}

func (s socket) check(address netip.AddrPort, uid int) error {
	if s.uid == uid || s.uid == 0 {
		return nil
	}
	return &StrangerError{address, s.uid, uid}
}

// A query asks the kernel by sock_diag(7), which any user may.
type query struct{ fd int }

func newQuery() (*query, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, unknown(err)
	}
	return &query{fd}, nil
}

func (q *query) close() { unix.Close(q.fd) }

// The layout of struct inet_diag_req_v2 and struct inet_diag_msg, each after
// the head of the message; see sock_diag(7).
const (
	requestLen = unix.SizeofNlMsghdr + 56
	replyLen   = unix.SizeofNlMsghdr + 72
	replyUID   = unix.SizeofNlMsghdr + 64
	replyInode = unix.SizeofNlMsghdr + 68
)

// find returns the socket at an address that is connected to another, or the
// one that listens there. The error is ENOENT if there is none.
func (q *query) find(at, to netip.AddrPort) (s socket, err error) {
	b := make([]byte, requestLen)
	order := binary.NativeEndian
	order.PutUint32(b, requestLen)
	order.PutUint16(b[4:], unix.SOCK_DIAG_BY_FAMILY)
	order.PutUint16(b[6:], unix.NLM_F_REQUEST)
	r := b[unix.SizeofNlMsghdr:]
	r[0], r[1] = unix.AF_INET, unix.IPPROTO_TCP
	if at.Addr().Is6() {
		r[0] = unix.AF_INET6
	}
	order.PutUint32(r[4:], 1<<32-1) // in whatever state
	binary.BigEndian.PutUint16(r[8:], at.Port())
	binary.BigEndian.PutUint16(r[10:], to.Port())
	copy(r[12:28], at.Addr().AsSlice())
	copy(r[28:44], to.Addr().AsSlice())
	order.PutUint64(r[48:], 1<<64-1) // INET_DIAG_NOCOOKIE
	if err := unix.Sendto(q.fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return s, unknown(err)
	}
	reply := make([]byte, 4096)
	// The kernel has answered when sendto(2) returns.
	n, from, err := unix.Recvfrom(q.fd, reply, unix.MSG_DONTWAIT)
	if err != nil {
		return s, unknown(err)
	}
	if kernel, ok := from.(*unix.SockaddrNetlink); !ok || kernel.Pid != 0 || n < unix.SizeofNlMsghdr+4 {
		return s, ErrUnknown
	}
	if order.Uint16(reply[4:]) == unix.NLMSG_ERROR {
		errno := unix.Errno(-int32(order.Uint32(reply[unix.SizeofNlMsghdr:])))
		if errno == unix.ENOENT {
			return s, errno
		}
		return s, unknown(errno)
	}
	if n < replyLen {
		return s, ErrUnknown
	}
	return socket{int(order.Uint32(reply[replyUID:])), order.Uint32(reply[replyInode:])}, nil
}

// unknown is ErrUnknown, but for a want of descriptors or memory: that passes.
func unknown(err error) error {
	switch {
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOMEM), errors.Is(err, unix.ENOBUFS):
		return fmt.Errorf("sock_diag: %w", err)
	}
	return fmt.Errorf("%w: sock_diag: %w", ErrUnknown, err)
}
