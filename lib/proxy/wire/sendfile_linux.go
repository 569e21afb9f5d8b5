package wire

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

// mostSent is how much of a file one system call sends: the goroutine holds its
// thread meanwhile.
const mostSent = 1 << 20

// SendFile sends n bytes of the file in, from where it stands.
func (s *Socket) SendFile(in int, n int64) (sent int64, err error) {
	c := s.conn
	var failed error
	err = s.raw.Write(func(fd uintptr) bool {
		for n > sent {
			m, err := unix.Sendfile(int(fd), in, nil, int(min(n-sent, mostSent)))
			switch {
			case errors.Is(err, unix.EAGAIN):
				c.writing.begin(c.Clock.After(c.WriteWait))
				return false
			case errors.Is(err, unix.EINTR):
				continue
			case err == nil && m == 0:
				err = io.ErrUnexpectedEOF // the file was cut
			}
			if err != nil {
				failed = err
				return true
			}
			sent += int64(m)
			s.wrote()
		}
		return true
	})
	c.Sent += sent
	if late := c.writing.settle(); late != nil {
		return sent, late
	}
	return sent, errors.Join(err, failed)
}
