package buffering

import (
	"os"

	"passenger/lib/proxy/files"
)

// A Request buffer holds a request's body, as it was sent, in a file without a
// name, so that a process is held only for as long as it needs itself.
type Request struct {
	file  *os.File
	Size  int64
	lease *Lease

	// Begun says that it is the beginning of the body, and that the rest has not
	// been read from the client yet.
	Begun bool
}

// NewRequest makes an empty buffer in dir, whose bytes l leases.
func NewRequest(dir string, l *Lease) (*Request, error) {
	f, err := files.Unnamed(dir)
	if err != nil {
		return nil, err
	}
	return &Request{file: f, lease: l}, nil
}

// Add adds p. spent is the share that has no room for it, nil if all have: p is in
// the buffer all the same.
func (s *Request) Add(p []byte) (spent *Share, err error) {
	n, err := s.file.WriteAt(p, s.Size)
	s.Size += int64(n)
	if err != nil {
		return nil, err
	}
	if spent = s.lease.grow(int64(len(p))); spent != nil {
		s.lease.force(int64(len(p)))
	}
	return spent, nil
}

// ReadAt reads from the buffer; see io.ReaderAt.
func (s *Request) ReadAt(p []byte, at int64) (int, error) { return s.file.ReadAt(p, at) }

// OnDisk is how many bytes of the shares it has.
func (s *Request) OnDisk() int64 { return s.lease.bytes.Load() }

// Free gives the buffer's disk back.
func (s *Request) Free() {
	_ = s.file.Close() // and so it is gone
	s.lease.end()
}

// CheckDir says why bodies cannot be kept in dir, nil if they can.
func CheckDir(dir string) error {
	f, err := files.Unnamed(dir)
	if err != nil {
		return err
	}
	return f.Close()
}
