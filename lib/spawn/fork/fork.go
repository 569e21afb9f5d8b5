// Package fork asks a process that has loaded an app for a fork of itself.
//
// A request and its reply are one packet each on the process's control socket.
// The forked process waits at a gate, whose end comes with the request.
package fork

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// maxPacket is how long a reply may be, in bytes.
const maxPacket = 4 << 10

// ErrLost says that the preloader was gone before it had forked, or did not
// answer. Another preloader may.
var ErrLost = errors.New("the preloader was lost")

// A request asks for a process. The descriptors of the process
// come with it: standard output and error, its listening socket, its notify
// socket, its gate. A process that serves is asked in the same way for a
// preloader, which gets its end of a control socket in the place of the
// listening socket.
type request struct {
	ID string `json:"id"`
}

// A reply says that the process was forked, or why not.
type reply struct {
	ID    string `json:"id"`
	Error string `json:"error"`
}

// Ask asks for one fork, whose process has the ID and the files, and waits for
// the reply. The error wraps [ErrLost] or is an *[Error] or ctx's cause. One
// request may be under way at a time.
func Ask(ctx context.Context, control *net.UnixConn, id string, files []*os.File) error {
	stop := context.AfterFunc(ctx, func() { _ = control.SetDeadline(time.Unix(1, 0)) }) // a socket has deadlines
	reply, err := exchange(control, id, files)
	switch {
	case !stop() && err != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrLost, err)
	case reply.ID != id:
		return fmt.Errorf("%w: it answered for %q", ErrLost, reply.ID)
	case reply.Error != "":
		return &Error{reply.Error}
	}
	return nil
}

// exchange sends the packet and reads the other.
func exchange(control *net.UnixConn, id string, files []*os.File) (reply, error) {
	packet, err := json.Marshal(request{ID: id})
	if err != nil {
		return reply{}, err
	}
	fds := make([]int, len(files))
	for i, f := range files {
		fds[i] = int(f.Fd())
	}
	if _, _, err := control.WriteMsgUnix(packet, unix.UnixRights(fds...), nil); err != nil {
		return reply{}, err
	}
	buf := make([]byte, maxPacket)
	n, _, err := control.ReadFromUnix(buf)
	if err != nil {
		return reply{}, err
	}
	if n == 0 {
		return reply{}, net.ErrClosed
	}
	var r reply
	if err := json.Unmarshal(buf[:n], &r); err != nil {
		return reply{}, fmt.Errorf("its answer is not JSON: %w", err)
	}
	return r, nil
}

// An Error says why the system refused the fork.
type Error struct{ Message string }

func (e *Error) Error() string { return e.Message }

// Pair makes the two ends of a preloader's control socket. A packet is
// a message, and its end is seen when the other side is gone.
func Pair() (ours *net.UnixConn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make control socket: %w", err)
	}
	theirs = os.NewFile(uintptr(fds[1]), "control")
	f := os.NewFile(uintptr(fds[0]), "control")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("make control socket: %w", err)
	}
	return conn.(*net.UnixConn), theirs, nil
}
