package migrate

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// Load reads a regular file for [Read], and no more of it than one byte over
// what Read takes. It does not wait for the writer of a FIFO.
func Load(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file; save the settings in one")
	}
	return io.ReadAll(io.LimitReader(f, int64(maxText+len("\ufeff")+1)))
}
