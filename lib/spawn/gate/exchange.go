package gate

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/spawn/survey"
)

// Confirm has the process look at the app's directory before it goes on. The
// error is [survey.ErrChanged], ctx's cause or one of the system; the process is on its
// way out then.
func (g *Gate) Confirm(ctx context.Context, e *survey.Expectation) error {
	defer g.bound(ctx)()
	text, err := json.Marshal(Order{Expected: e})
	if err != nil {
		return fmt.Errorf("open gate: %w", err)
	}
	said := make([]byte, 1)
	_, err = g.conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...))
	if err == nil {
		_, err = g.conn.Read(said)
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil || said[0] != confirmed:
		return survey.ErrChanged // also one that died of what it saw: the survey that follows looks with care
	}
	return nil
}

// exchange sends the order and reads the answer until the process closes its
// side. It does that when it becomes the command.
func (g *Gate) exchange(text []byte) ([]byte, error) {
	length := binary.BigEndian.AppendUint32(nil, uint32(len(text)))
	if _, err := g.conn.Write(append(length, text...)); errors.Is(err, syscall.EPIPE) {
		return nil, nil // the process is gone; the goroutine that waits for it sees that
	} else if err != nil {
		return nil, err
	}
	said, err := g.read()
	if errors.Is(err, syscall.ECONNRESET) {
		return nil, nil
	}
	return said, err
}

// read reads what the process says until the process closes its side, and holds
// on to the file that comes with it.
func (g *Gate) read() ([]byte, error) {
	raw, err := g.conn.SyscallConn()
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
		g.receive(oob[:size])
	}
	return said, fmt.Errorf("its answer is over %d bytes: %w", maxOrder, io.ErrShortBuffer)
}

// receive holds on to the first file of a message, and closes others: they would
// only use up descriptors.
func (g *Gate) receive(oob []byte) {
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

// bound ends every wait of the gate when ctx ends, until the caller calls stop.
func (g *Gate) bound(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() { _ = g.conn.SetDeadline(time.Unix(1, 0)) }) // a socket has deadlines
}
