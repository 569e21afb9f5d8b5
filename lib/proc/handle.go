package proc

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ErrGone says that the process no longer runs, or that its number belongs to
// another by now.
var ErrGone = errors.New("no such process")

// A Handle refers to one process, child or not, whatever becomes of its
// number: a pidfd(2).
type Handle struct {
	id    Identity
	pidfd *os.File
}

// Open returns a handle of the process, or ErrGone.
func Open(id Identity) (*Handle, error) {
	if id.PID <= 1 || (id.BootID != "" && id.BootID != BootID()) {
		return nil, fmt.Errorf("process %d: %w", id.PID, ErrGone)
	}
	fd, err := unix.PidfdOpen(id.PID, unix.PIDFD_NONBLOCK)
	if errors.Is(err, unix.ESRCH) {
		return nil, fmt.Errorf("process %d: %w", id.PID, ErrGone)
	}
	if err != nil {
		return nil, fmt.Errorf("open process %d: %w", id.PID, err)
	}
	h := &Handle{id: id, pidfd: os.NewFile(uintptr(fd), fmt.Sprintf("pidfd %d", id.PID))}
	// The number may have changed hands before the descriptor was open. Now
	// it cannot any more, so what /proc says is of the process we hold.
	if now, err := IdentityOf(id.PID); err != nil || now.StartTime != id.StartTime {
		h.Close()
		return nil, fmt.Errorf("process %d: %w", id.PID, ErrGone)
	}
	return h, nil
}

// Identity is who the handle refers to.
func (h *Handle) Identity() Identity { return h.id }

// Signal sends sig to the process, or returns ErrGone; also once the handle is
// closed.
func (h *Handle) Signal(sig unix.Signal) error {
	err := h.control(func(fd int) error { return unix.PidfdSendSignal(fd, sig, nil, 0) })
	if errors.Is(err, unix.ESRCH) || errors.Is(err, os.ErrClosed) {
		return ErrGone
	}
	return err
}

// SignalGroup sends sig to every process of the group that the process leads.
// The group's number cannot belong to a stranger as long as the leader runs or
// was not reaped, which is the caller's to know.
func (h *Handle) SignalGroup(sig unix.Signal) error {
	err := unix.Kill(-h.id.PID, sig)
	if errors.Is(err, unix.ESRCH) {
		return ErrGone
	}
	return err
}

// Wait returns when the process has ended. It does not reap it. A handle that
// is closed meanwhile is an error.
func (h *Handle) Wait() error {
	raw, err := h.pidfd.SyscallConn()
	if err != nil {
		return fmt.Errorf("wait for process %d: %w", h.id.PID, err)
	}
	// A pidfd is readable once its process has ended.
	err = raw.Read(func(fd uintptr) bool {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(p, 0)
		return err == nil && n == 1
	})
	if err != nil {
		return fmt.Errorf("wait for process %d: %w", h.id.PID, err)
	}
	return nil
}

// Reap waits for a process that is a child of ours and has ended, and returns
// its status. Another process's is ECHILD.
func (h *Handle) Reap() (unix.WaitStatus, error) {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(h.id.PID, &status, 0, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("reap process %d: %w", h.id.PID, err)
		}
		if pid == h.id.PID {
			return status, nil
		}
	}
}

// Close gives the handle up. A Wait under way returns.
func (h *Handle) Close() error { return h.pidfd.Close() }

func (h *Handle) control(f func(fd int) error) error {
	raw, err := h.pidfd.SyscallConn()
	if err != nil {
		return err
	}
	var ferr error
	if raw.Control(func(fd uintptr) { ferr = f(int(fd)) }) != nil {
		return os.ErrClosed // the only way to fail, and os does not name it here
	}
	return ferr
}
