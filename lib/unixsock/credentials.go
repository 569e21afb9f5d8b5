package unixsock

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// PassCredentials has the kernel say with each message that arrives on the
// socket who sent it (SO_PASSCRED in unix(7)). [Sender] reads that.
func PassCredentials(c syscall.Conn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = raw.Control(func(fd uintptr) {
		set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	})
	return errors.Join(err, set)
}

// Sender is the pid of the process that sent a message, by the kernel's word in
// the message's control data (SCM_CREDENTIALS in unix(7)); 0 if the kernel gave
// none. It closes descriptors that came with the message: unasked, they would
// use up ours.
func Sender(oob []byte) (pid int) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0
	}
	for _, m := range messages {
		if cred, err := unix.ParseUnixCredentials(&m); err == nil {
			pid = int(cred.Pid)
		}
		if fds, err := unix.ParseUnixRights(&m); err == nil {
			CloseAll(fds)
		}
	}
	return pid
}
