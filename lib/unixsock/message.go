package unixsock

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// Limits of one message.
const (
	MaxMessage     = 64 << 10 // bytes, with its line feed
	MaxDescriptors = 128
)

// usualMessage is the room that a reader begins with: some wait for long.
const usualMessage = 1 << 10

// Send writes one line, to which it adds the line feed, and with it copies of
// the descriptors, which stay the caller's (SCM_RIGHTS in unix(7)).
func Send(c *net.UnixConn, line []byte, fds []int) error {
	if len(line) >= MaxMessage || len(fds) > MaxDescriptors {
		return fmt.Errorf("a message of %d bytes with %d descriptors; the limits are %d and %d", len(line), len(fds), MaxMessage-1, MaxDescriptors)
	}
	var oob []byte
	if len(fds) > 0 {
		oob = syscall.UnixRights(fds...)
	}
	_, _, err := c.WriteMsgUnix(append(bytes.Clone(line), '\n'), oob, nil)
	return err
}

// Receive reads one line, without its line feed, and the descriptors that came
// with it. They are the caller's to close; with an error there are none. The
// sender waits for an answer before it sends a second line: two at once are an
// error.
func Receive(c *net.UnixConn) (line []byte, fds []int, err error) {
	defer func() {
		if err != nil {
			CloseAll(fds)
			fds = nil
		}
	}()
	b, oob := make([]byte, usualMessage), make([]byte, syscall.CmsgSpace(4*MaxDescriptors))
	for n := 0; ; {
		if n == len(b) && n < MaxMessage {
			b = append(b, make([]byte, min(n, MaxMessage-n))...)
		}
		m, oobn, flags, _, err := c.ReadMsgUnix(b[n:], oob)
		if err != nil {
			return nil, fds, err
		}
		fds = append(fds, descriptors(oob[:oobn])...)
		if flags&syscall.MSG_CTRUNC != 0 || len(fds) > MaxDescriptors {
			return nil, fds, errors.New("some of the descriptors did not arrive: too many, or no room for them here")
		}
		n += m
		if end := bytes.IndexByte(b[:n], '\n'); end >= 0 {
			if end != n-1 {
				return nil, fds, errors.New("more than a line arrived")
			}
			return b[:end], fds, nil
		}
		if n == MaxMessage {
			return nil, fds, fmt.Errorf("%d bytes without a line feed", n)
		}
	}
}

// descriptors takes the descriptors out of control messages. Package net has
// asked that programs which we start do not inherit them.
func descriptors(oob []byte) (fds []int) {
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return nil // the kernel's own form: it is whole
	}
	for _, m := range messages {
		if rights, err := syscall.ParseUnixRights(&m); err == nil { // not credentials, say
			fds = append(fds, rights...)
		}
	}
	return fds
}

// CloseAll closes descriptors.
func CloseAll(fds []int) {
	for _, fd := range fds {
		_ = syscall.Close(fd) // there is nothing to lose
	}
}
