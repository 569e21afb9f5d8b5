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
	"sync"
	"syscall"
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
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return // it is closed
	}
	var flood throttle
	for {
		if wait := flood.wait(time.Now()); wait > 0 {
			time.Sleep(wait)
		}
		// A reader that waits holds no buffer: there is one for each process.
		var message []byte
		err := raw.Read(func(fd uintptr) (done bool) {
			message, done = receive(int(fd), group)
			return done
		})
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.rest(raw, group, got)
			return
		case err != nil:
			return // it is closed
		case message != nil:
			hear(message, got)
		}
	}
}

// receive reads a message, without waiting. It is nil if it is none of a process
// of the group. done is false if there is no message.
func receive(fd, group int) (message []byte, done bool) {
	buf := messages.Get().(*[maxNotice]byte)
	defer messages.Put(buf)
	// The room is for credentials alone, which come first. The kernel drops
	// descriptors that it has no room for: an app would fill our table with them.
	oob := make([]byte, unix.CmsgSpace(unix.SizeofUcred))
	size, oobSize, _, _, err := unix.Recvmsg(fd, buf[:], oob, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
	for errors.Is(err, unix.EINTR) {
		size, oobSize, _, _, err = unix.Recvmsg(fd, buf[:], oob, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
	}
	if err == nil && proc.InGroup(unixsock.Sender(oob[:oobSize]), group) {
		message = append([]byte{}, buf[:size]...)
	}
	return message, !errors.Is(err, unix.EAGAIN)
}

var messages = sync.Pool{New: func() any { return new([maxNotice]byte) }}

// mostRest bounds how many messages are read of a process that has ended: what
// the kernel queues of them (net.unix.max_dgram_qlen) is less, unless its
// children go on to send.
const mostRest = 1024

// rest takes what waits in the socket. The deadline is over, so the connection
// itself reads no more.
func (s *Socket) rest(raw syscall.RawConn, group int, got func(Notice)) {
	_ = raw.Control(func(fd uintptr) { // an error says that it is closed
		for range mostRest {
			message, done := receive(int(fd), group)
			if !done {
				return
			}
			if message != nil {
				hear(message, got)
			}
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
