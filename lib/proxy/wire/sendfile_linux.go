package wire

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

// SendFile sends n bytes of the file in, from where it stands.
func (c *Conn) SendFile(in int, n int64) (sent int64, err error) {
	var failed error
	err = c.Raw.Write(func(fd uintptr) bool {
		for n > sent {
			m, err := unix.Sendfile(int(fd), in, nil, int(min(n-sent, 1<<20)))
			switch {
			case errors.Is(err, unix.EAGAIN):
				if c.writeBy.Load() == 0 {
					c.writeBy.Store(c.Clock.After(c.WriteWait))
				}
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
			if sent += int64(m); c.writeBy.Load() > 0 {
				c.writeBy.Store(c.Clock.After(c.WriteWait))
			}
		}
		return true
	})
	c.Sent += sent
	if late := settle(&c.writeBy); late != nil {
		return sent, late
	}
	return sent, errors.Join(err, failed)
}
