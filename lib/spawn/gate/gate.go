// Package gate is what a new process and its spawner say to each other before
// the process becomes an app's command.
//
// The new process is this program once more ("passenger-spawn exec --gate"). It
// waits at its gate until the spawner has written its record to the disk, then
// reads an [Order], changes its user and limits, and becomes the command. So a
// spawner that dies in between leaves no process without a record: the process
// sees its gate close and exits.
//
// A gate also serves errands: the process carries out the order, answers, and
// ends. That is how the spawner opens what an app's user has made.
package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"passenger/lib/unixsock"
)

// FD is the descriptor of a new process's side of its gate. The descriptors
// below it are those of the process contract.
const FD = 5

// A Gate is the spawner's side.
type Gate struct {
	conn *os.File
	file *os.File // came through the gate and was not taken; nil if none did
}

// New returns a gate and the file that the process gets as descriptor [FD]. The
// caller closes its copy of that file once the process has it: else the gate
// never sees the process's end.
func New() (*Gate, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make gate: %w", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return nil, nil, fmt.Errorf("make gate: %w", err)
	}
	if err := unix.SetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		return nil, nil, fmt.Errorf("make gate: %w", err)
	}
	return &Gate{conn: os.NewFile(uintptr(fds[0]), "gate")}, os.NewFile(uintptr(fds[1]), "gate"), nil
}

// Open sends the order and returns the answer. For a process that is to become
// its command that is once it has, or is dead; for an errand, once that is
// done. The error is an *[Error], an *[app.UnknownError], ctx's cause or one of
// the system. The process may hang before its command, at a directory on a file
// system that does not answer: then ctx ends the wait.
func (g *Gate) Open(ctx context.Context, o Order) (a Answer, err error) {
	defer g.bound(ctx)()
	text, err := json.Marshal(o)
	if err != nil {
		return Answer{}, fmt.Errorf("open gate: %w", err)
	}
	said, err := g.exchange(text)
	if ctx.Err() != nil {
		return Answer{}, context.Cause(ctx)
	}
	if err != nil {
		return Answer{}, fmt.Errorf("open gate: %w", err)
	}
	if len(said) == 0 {
		return Answer{}, nil // it became the command, or is gone already
	}
	if err := json.Unmarshal(said, &a); err != nil {
		return Answer{}, fmt.Errorf("open gate: its answer %q: %w", said[:min(len(said), 80)], err)
	}
	if a.Unknown != nil {
		return Answer{}, a.Unknown
	}
	if a.Error != "" {
		return Answer{}, &Error{Category: a.Category, Message: a.Error, Advice: a.Advice}
	}
	return a, nil
}

// ErrSilent says that a forked process ended before it came to its gate.
var ErrSilent = errors.New("its process ended before it said anything")

// Hello waits for the first byte of a process that a preloader forked, and
// returns its pid, which the kernel adds (SCM_CREDENTIALS in unix(7)). The error
// is [ErrSilent], ctx's cause or one of the system.
func (g *Gate) Hello(ctx context.Context) (pid int, err error) {
	defer g.bound(ctx)()
	raw, err := g.conn.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("gate: %w", err)
	}
	var n int
	var received error
	err = raw.Read(func(fd uintptr) bool {
		buf, oob := make([]byte, 1), make([]byte, unix.CmsgSpace(unix.SizeofUcred))
		var size int
		n, size, _, _, received = unix.Recvmsg(int(fd), buf, oob, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
		if received == nil {
			pid = unixsock.Sender(oob[:size])
		}
		return !errors.Is(received, unix.EAGAIN)
	})
	switch {
	case ctx.Err() != nil:
		return 0, context.Cause(ctx)
	case err != nil:
		return 0, fmt.Errorf("gate: %w", err)
	case received != nil || n == 0 || pid == 0:
		return 0, ErrSilent
	}
	return pid, nil
}

// Admit lets a forked process through its gate.
func (g *Gate) Admit() error {
	if _, err := g.conn.Write([]byte{'g'}); err != nil && !errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("open gate: %w", err)
	}
	return nil // if the process is gone, the goroutine that waits for it sees that
}

// AdmitAndKeep lets a forked process through that keeps its side of the gate, to
// be asked later on for a fork of itself. The connection is the caller's, and
// nil if the process is gone.
func (g *Gate) AdmitAndKeep() (*net.UnixConn, error) {
	if _, err := g.conn.Write([]byte{'k'}); errors.Is(err, syscall.EPIPE) {
		return nil, nil // the goroutine that waits for the process sees that
	} else if err != nil {
		return nil, fmt.Errorf("open gate: %w", err)
	}
	conn, err := net.FileConn(g.conn)
	if err != nil {
		return nil, fmt.Errorf("keep gate: %w", err)
	}
	return conn.(*net.UnixConn), nil
}

// TakeFile returns the file that came through the gate, which is the caller's
// to close, nil if none did.
func (g *Gate) TakeFile() (f *os.File) {
	f, g.file = g.file, nil
	return f
}

// Close gives up the gate, and what came through it and was not taken.
func (g *Gate) Close() {
	g.conn.Close()
	if g.file != nil {
		g.file.Close()
	}
}
