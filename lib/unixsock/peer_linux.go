package unixsock

import (
	"fmt"
	"net"
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Peer is who is at the other end of a connection, as the kernel knows it
// from the moment of connect(2) (SO_PEERCRED in unix(7)).
type Peer struct {
	PID, UID, GID int

	// Groups are the supplementary ones (SO_PEERGROUPS), as far as the kernel
	// tells.
	Groups []int
}

// Trusted says that the peer is root, the user that this program runs as, or
// in the group unless that is negative: they may call a daemon.
func (p Peer) Trusted(gid int) bool {
	return p.UID == 0 || p.UID == os.Geteuid() || gid >= 0 && (p.GID == gid || slices.Contains(p.Groups, gid))
}

// maxGroups is the most that a process can have (NGROUPS_MAX).
const maxGroups = 65536

// PeerOf returns who is at the other end of c.
func PeerOf(c *net.UnixConn) (Peer, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return Peer{}, fmt.Errorf("peer credentials: %w", err)
	}
	var cred *unix.Ucred
	var cerr error
	var groups []int
	if err := raw.Control(func(fd uintptr) {
		cred, cerr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		groups = peerGroups(int(fd))
	}); err != nil {
		return Peer{}, fmt.Errorf("peer credentials: %w", err)
	}
	if cerr != nil {
		return Peer{}, fmt.Errorf("peer credentials: %w", cerr)
	}
	return Peer{PID: int(cred.Pid), UID: int(cred.Uid), GID: int(cred.Gid), Groups: groups}, nil
}

// peerGroups asks for the groups, first with room for most.
func peerGroups(fd int) []int {
	for _, room := range []int{64, maxGroups} {
		gids := make([]uint32, room)
		size := uint32(4 * room)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&gids[0])), uintptr(unsafe.Pointer(&size)), 0)
		if errno == unix.ERANGE {
			continue
		}
		if errno != 0 {
			return nil
		}
		groups := make([]int, size/4)
		for i := range groups {
			groups[i] = int(gids[i])
		}
		return groups
	}
	return nil
}
