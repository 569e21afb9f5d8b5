// Package notify hears what processes say of themselves: that they are ready, or
// why they are not.
//
// A process sends lines of NAME=VALUE as in sd_notify(3). The names beyond
// READY are those of our adapters; passenger-protocol(7) lists them.
package notify

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/bug"
	"passenger/lib/proc"
	"passenger/lib/unixsock"
)

// maxNotice is the longest message on a notify socket that is read, in bytes.
const maxNotice = 8 << 10

// A Socket is where one process reports READY=1: a datagram socket at a path, as
// systemd's is. Not every client of sd_notify knows abstract names (unix(7));
// Ruby's does not.
type Socket struct {
	conn *net.UnixConn
	Name string        // its path; an abstract name with "@" first if an older spawner started the process
	done chan struct{} // closed when Listen has returned
}

// AnyUser is the owner of a notify socket that every user may send to.
const AnyUser = -1

// New makes a socket in the directory under a random name, for the processes of
// one user or, if uid is [AnyUser], of all users.
func New(dir string, uid int) (*Socket, error) {
	return listenAt(filepath.Join(dir, rand.Text()), uid)
}

// Renew makes the socket anew for a process that knows its name.
func Renew(name string) (*Socket, error) {
	if isAbstract(name) {
		return listenAt(name, AnyUser)
	}
	uid := AnyUser
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err == nil && st.Mode&0o077 == 0 {
		uid = int(st.Uid)
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("notify socket: %w", err)
	}
	return listenAt(name, uid)
}

func isAbstract(name string) bool { return strings.HasPrefix(name, "@") }

func listenAt(name string, uid int) (s *Socket, err error) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("notify socket: %w", err)
	}
	s = &Socket{conn: conn, Name: name, done: make(chan struct{})}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := unixsock.PassCredentials(conn); err != nil {
		return nil, fmt.Errorf("notify socket: %w", err)
	}
	switch {
	case isAbstract(name):
	case uid == AnyUser:
		err = os.Chmod(name, 0o666)
	default:
		// The directory is ours alone, so the path is the socket.
		err = errors.Join(os.Chmod(name, 0o600), os.Lchown(name, uid, -1))
	}
	if err != nil {
		return nil, fmt.Errorf("notify socket: %w", err)
	}
	return s, nil
}

// Client returns a socket connected to s, for the process to inherit.
func (s *Socket) Client() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("notify socket: %w", err)
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: s.Name}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("notify socket: %w", err)
	}
	return os.NewFile(uintptr(fd), "notify"), nil
}

// Listen passes on, until the socket is finished or closed, what processes of
// the group say, by the kernel's word for who they are. It drops what others
// send, and what is no notice.
func (s *Socket) Listen(group int, got func(Notice)) {
	defer close(s.done)
	defer bug.Caught(nil)
	buf := make([]byte, maxNotice)
	oob := make([]byte, unix.CmsgSpace(unix.SizeofUcred)+64)
	take := func(size, oobSize int) {
		if proc.InGroup(unixsock.Sender(oob[:oobSize]), group) {
			hear(buf[:size], got)
		}
	}
	var flood throttle
	for {
		if wait := flood.wait(time.Now()); wait > 0 {
			time.Sleep(wait)
		}
		size, oobSize, _, _, err := s.conn.ReadMsgUnix(buf, oob)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.rest(buf, oob, take)
			return
		case err == nil:
			take(size, oobSize)
		}
	}
}

// mostRest bounds how many messages are read of a process that has ended: what
// the kernel queues of them (net.unix.max_dgram_qlen) is less, unless its
// children go on to send.
const mostRest = 1024

// rest takes what waits in the socket. The deadline is over, so the connection
// itself reads no more.
func (s *Socket) rest(buf, oob []byte, take func(size, oobSize int)) {
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return // it is closed
	}
	_ = raw.Control(func(fd uintptr) { // an error says that it is closed
		for range mostRest {
			size, oobSize, _, _, err := unix.Recvmsg(int(fd), buf, oob, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if err != nil {
				return
			}
			take(size, oobSize)
		}
	})
}

// hear passes a message on if it is a notice.
func hear(message []byte, got func(Notice)) {
	defer bug.Caught(nil)
	if v, ok := Parse(message); ok {
		got(v)
	}
}

// Finish returns when all that was said so far is passed on, and closes the
// socket. Call it before the group's leader is reaped: later the kernel no
// longer knows which processes belonged to the group.
func (s *Socket) Finish() {
	defer s.Close()
	if err := s.conn.SetReadDeadline(time.Unix(1, 0)); err == nil {
		<-s.done
	}
}

// Close removes a socket on which Listen was never called.
func (s *Socket) Close() {
	s.conn.Close()
	if isAbstract(s.Name) {
		return
	}
	if err := os.Remove(s.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		slog.Error("notify socket not removed", "err", err)
	}
}
