package spawn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/proc"
)

// Descriptors of a process as it starts.
const (
	listenFD = 3 // its listening socket
	notifyFD = 4 // connected to its notifier
	gateFD   = 5 // until it becomes the command
)

// A gate is between the fork and the command: the new process is this program
// once more ("passenger-spawn exec --gate"), and it goes on to the command only
// when told so. A spawner that is killed between the fork and the record so
// leaves no process that nobody knows of: the gate sees the end of its other
// side and exits.
type gate struct{ ours *os.File }

// newGate returns the gate and the descriptor for the process.
func newGate() (*gate, *os.File, error) {
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
	return &gate{ours: os.NewFile(uintptr(fds[0]), "gate")}, os.NewFile(uintptr(fds[1]), "gate"), nil
}

// open lets the process go on and returns once it became the command or was
// killed, with what it says kept it from the command, or with ctx's cause. The
// process may hang before the command, at a directory on a file system that
// does not answer.
func (g *gate) open(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = g.ours.SetDeadline(time.Unix(1, 0)) }) // a socket has deadlines
	defer stop()
	if _, err := g.ours.Write([]byte{'g'}); errors.Is(err, syscall.EPIPE) {
		return nil // it is gone already
	} else if err != nil {
		return fmt.Errorf("open gate: %w", err)
	}
	said, err := io.ReadAll(io.LimitReader(g.ours, 4096))
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		return fmt.Errorf("open gate: %w", err)
	}
	if len(said) > 0 {
		return &gateError{category: said[0], message: string(said[1:])}
	}
	return nil
}

// hello waits for the word of a process that a preloader forked, and returns
// its number, which the kernel adds (SCM_CREDENTIALS in unix(7)).
func (g *gate) hello(ctx context.Context) (pid int, err error) {
	stop := context.AfterFunc(ctx, func() { _ = g.ours.SetDeadline(time.Unix(1, 0)) }) // a socket has deadlines
	defer stop()
	raw, err := g.ours.SyscallConn()
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
			pid = sender(oob[:size])
		}
		return !errors.Is(received, unix.EAGAIN)
	})
	switch {
	case ctx.Err() != nil:
		return 0, context.Cause(ctx)
	case err != nil:
		return 0, fmt.Errorf("gate: %w", err)
	case received != nil || n == 0 || pid == 0:
		return 0, fmt.Errorf("%w: its process ended before it said a word", errPreloaderLost)
	}
	return pid, nil
}

// pass lets a forked process go on.
func (g *gate) pass() error {
	if _, err := g.ours.Write([]byte{'g'}); err != nil && !errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("open gate: %w", err)
	}
	return nil // if it is gone, whoever waits for it sees that
}

func (g *gate) close() { g.ours.Close() }

// What kind of error came through a gate.
const (
	gateCommand    = 'c' // the command does not exist
	gatePermission = 'p'
	gateOther      = 'o'
)

type gateError struct {
	category byte
	message  string
}

func (e *gateError) Error() string { return e.message }

// gateArgs is the command line of a process at its gate.
func gateArgs(dir string, command []string) []string {
	return append([]string{"passenger-spawn", "exec", "--gate", dir, "--"}, command...)
}

// AtGate says whether args, with the program's name first, are the command line
// of a process at its gate. The program then calls PassGate before anything
// else: what it does besides, every start of a process waits for.
func AtGate(args []string) bool {
	return len(args) > 5 && args[1] == "exec" && args[2] == "--gate"
}

// PassGate is the other side: it waits for the word, changes the directory,
// sets LISTEN_PID and becomes the command, which inherits the descriptors below
// the gate's and none else. It returns only if it cannot, and has told so
// through the gate then.
func PassGate(args []string) error {
	change, command := proc.Change{Dir: args[3]}, args[5:]
	if err := unix.CloseRange(gateFD, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		unix.CloseOnExec(gateFD) // Linux before 5.11
	}
	g := os.NewFile(gateFD, "gate")
	if _, err := io.ReadFull(g, make([]byte, 1)); err != nil {
		return errors.New("the spawner is gone")
	}
	err := change.Apply()
	if err == nil {
		proc.UnignoreSignals()
		env := append(os.Environ(), "LISTEN_PID="+strconv.Itoa(os.Getpid()))
		err = proc.Exec(command, env)
	}
	category := byte(gateOther)
	switch {
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		category = gatePermission
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENOEXEC), errors.Is(err, exec.ErrNotFound):
		category = gateCommand
	}
	_, werr := g.Write(append([]byte{category}, err.Error()...))
	return errors.Join(err, werr)
}
