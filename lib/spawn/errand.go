package spawn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"passenger/lib/bug"
	"passenger/lib/output"
	"passenger/lib/proc"
)

// errand starts a process at a gate that carries out the order and becomes no
// command, and returns its answer with the file that it opened, if it did. It
// is killed when ctx ends. One that the kernel does not let go even then, as on
// a dead file server, is left behind, and no thread of ours waits for it.
func (s *Spawner) errand(ctx context.Context, o order) (a answer, file *os.File, err error) {
	g, gateEnd, err := newGate()
	if err != nil {
		return answer{}, nil, err
	}
	defer g.close()
	defer gateEnd.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return answer{}, nil, err
	}
	defer null.Close()
	runner, err := s.startProcess("/proc/self/exe", gateArgs([]string{"errand"}), &os.ProcAttr{
		Env: os.Environ(), Files: []*os.File{null, null, null, null, null, gateEnd}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return answer{}, nil, err
	}
	gateEnd.Close()
	defer bug.Go(func() { s.dismiss(runner) })
	if a, err = g.open(ctx, o); err != nil {
		return answer{}, nil, err
	}
	file, g.file = g.file, nil
	return a, file, nil
}

// dismiss ends a process on an errand, and reaps it.
func (s *Spawner) dismiss(runner *proc.Handle) {
	defer runner.Close()
	_ = runner.Signal(unix.SIGKILL) // gone is fine
	if runner.Wait() == nil {
		_, _ = runner.Reap() // nobody asks for its status
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.children, runner.Identity().PID)
}

// run is the process's part of an errand. It says no if o is none, but an order
// to become the command.
func (o order) run(g *os.File) bool {
	switch {
	case o.Survey != nil:
		_ = json.NewEncoder(g).Encode(answerSurvey(*o.Survey)) // else the spawner is gone
	case o.LogFile != "":
		f, err := o.openLog()
		if err != nil {
			_ = json.NewEncoder(g).Encode(answer{Category: gateOther, Error: err.Error()})
			break
		}
		_ = unix.Sendmsg(gateFD, []byte("{}"), unix.UnixRights(int(f.Fd())), nil, 0)
	default:
		return false
	}
	return true
}

func (o order) openLog() (*os.File, error) {
	if err := o.Change.Apply(); err != nil {
		return nil, err
	}
	return output.OpenLog(o.LogFile)
}

// read reads what the process says until it closes its side, and takes the
// file that comes with it.
func (g *gate) read() ([]byte, error) {
	raw, err := g.ours.SyscallConn()
	if err != nil {
		return nil, err
	}
	var said []byte
	buf, oob := make([]byte, 4<<10), make([]byte, unix.CmsgSpace(unix.SizeofUcred)+unix.CmsgSpace(4))
	for len(said) < maxOrder {
		var n, size int
		var received error
		err := raw.Read(func(fd uintptr) bool {
			n, size, _, _, received = unix.Recvmsg(int(fd), buf, oob, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
			return !errors.Is(received, unix.EAGAIN)
		})
		if err = errors.Join(err, received); err != nil {
			return said, err
		}
		if n == 0 {
			return said, nil
		}
		said = append(said, buf[:n]...)
		g.keep(oob[:size])
	}
	return said, fmt.Errorf("its answer is over %d bytes: %w", maxOrder, io.ErrShortBuffer)
}

// keep takes the first file of a message. Others would only use up descriptors.
func (g *gate) keep(oob []byte) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			continue // the sender's credentials
		}
		for _, fd := range fds {
			if g.file == nil {
				g.file = os.NewFile(uintptr(fd), "file")
				continue
			}
			unix.Close(fd)
		}
	}
}
