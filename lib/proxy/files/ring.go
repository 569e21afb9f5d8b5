package files

import (
	"io"
	"os"
	"sync/atomic"
)

// A Ring is a file without a name whose bytes are read in the order that
// they were written in, and that takes no more of the disk than its size. One
// may write while another reads. The nil ringFile is empty.
type Ring struct {
	File *os.File
	size int64

	// at and end are how many bytes were read, and written and committed.
	at, end atomic.Int64
}

func NewRing(dir string, size int64) (*Ring, error) {
	f, err := Unnamed(dir)
	if err != nil {
		return nil, err
	}
	return &Ring{File: f, size: size}, nil
}

// Length is how many bytes wait to be read.
func (r *Ring) Length() int64 {
	if r == nil {
		return 0
	}
	return r.end.Load() - r.at.Load()
}

// Growth is how much more of the disk the file takes with n further bytes.
func (r *Ring) Growth(n int) int64 {
	if r == nil {
		return int64(n)
	}
	end := r.end.Load()
	return min(end+int64(n), r.size) - min(end, r.size)
}

// Write writes p, or as much of it as there is room for. What a disk that is
// full took of it counts. It cannot be read before it is committed.
func (r *Ring) Write(p []byte) (n int, err error) {
	end := r.end.Load()
	p = p[:min(int64(len(p)), r.size-r.Length())]
	for n < len(p) && err == nil {
		at := (end + int64(n)) % r.size
		var m int
		m, err = r.File.WriteAt(p[n:min(int64(len(p)), int64(n)+r.size-at)], at)
		n += m
	}
	return n, err
}

// Commit lets the n bytes that were written be read.
func (r *Ring) Commit(n int) { r.end.Add(int64(n)) }

// Read reads the next bytes into p.
func (r *Ring) Read(p []byte) (n int, err error) {
	at := r.at.Load() % r.size
	n, err = r.File.ReadAt(p[:min(int64(len(p)), r.Length(), r.size-at)], at)
	r.at.Add(int64(n))
	if n > 0 {
		return n, nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF // someone cut the file
	}
	return 0, err
}

func (r *Ring) Close() {
	if r != nil {
		_ = r.File.Close() // and so it is gone
	}
}
