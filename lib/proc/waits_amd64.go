package proc

import "golang.org/x/sys/unix"

// olderWaits are calls that newer machines do without.
var olderWaits = map[int]wait{
	unix.SYS_POLL: {"poll", polled}, unix.SYS_SELECT: {"select", nothing}, unix.SYS_EPOLL_WAIT: {"epoll_wait", nothing},
	unix.SYS_OPEN: {"open", nothing}, unix.SYS_PAUSE: {"pause", nothing},
}
