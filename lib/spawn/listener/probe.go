package listener

import (
	"encoding/binary"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// A probe is a connection that waits in a listening socket's queue
// until the process accepts it. A listening socket accepts connections for a
// process that never will, so that to connect says nothing; the length of the
// queue does.
type probe struct {
	conn    net.Conn
	netlink int
	inode   uint32
}

// newProbe probes the listening socket at path. inode is the socket's
// own, by fstat(2) on its descriptor; that of the path is another.
func newProbe(path string, inode uint32) (*probe, error) {
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return nil, fmt.Errorf("probe: %w", err)
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("probe: %w", err)
	}
	return &probe{conn: conn, netlink: fd, inode: inode}, nil
}

func (p *probe) close() {
	p.conn.Close()
	unix.Close(p.netlink)
}

// accepted says whether nothing waits in the listening socket's queue any
// more. If the kernel cannot tell, it never does.
func (p *probe) accepted() bool {
	if unix.Sendto(p.netlink, diagRequest(p.inode), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) != nil {
		return false
	}
	var buf [1024]byte
	n, _, err := unix.Recvfrom(p.netlink, buf[:], unix.MSG_DONTWAIT)
	if err != nil {
		return false
	}
	waiting, ok := queueLength(buf[:n])
	return ok && waiting == 0
}

// Of linux/unix_diag.h and linux/sock_diag.h.
const (
	sockDiagByFamily = 20
	showQueueLength  = 0x10 // UDIAG_SHOW_RQLEN
	attrQueueLength  = 4    // UNIX_DIAG_RQLEN
	diagRequestSize  = 16 + 24
	diagReplyHead    = 16 + 16
)

// diagRequest is a struct nlmsghdr and a struct unix_diag_req that ask for the
// queue of one socket.
func diagRequest(inode uint32) []byte {
	b := make([]byte, diagRequestSize)
	ne := binary.NativeEndian
	ne.PutUint32(b[0:], diagRequestSize)
	ne.PutUint16(b[4:], sockDiagByFamily)
	ne.PutUint16(b[6:], unix.NLM_F_REQUEST)
	b[16] = unix.AF_UNIX
	ne.PutUint32(b[20:], ^uint32(0)) // in any state
	ne.PutUint32(b[24:], inode)
	ne.PutUint32(b[28:], showQueueLength)
	ne.PutUint32(b[32:], ^uint32(0)) // no cookie
	ne.PutUint32(b[36:], ^uint32(0))
	return b
}

// queueLength finds the length of the queue in the reply: a struct nlmsghdr, a
// struct unix_diag_msg, attributes. For a listening socket it counts the
// connections that were not accepted yet.
func queueLength(b []byte) (uint32, bool) {
	ne := binary.NativeEndian
	if len(b) < diagReplyHead || ne.Uint16(b[4:]) != sockDiagByFamily {
		return 0, false // an NLMSG_ERROR
	}
	for b = b[diagReplyHead:]; len(b) >= 4; {
		size, kind := int(ne.Uint16(b)), ne.Uint16(b[2:])
		if size < 4 || size > len(b) {
			return 0, false
		}
		if kind == attrQueueLength && size >= 8 {
			return ne.Uint32(b[4:]), true
		}
		b = b[min(len(b), (size+3)&^3):]
	}
	return 0, false
}
