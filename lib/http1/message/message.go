// Package message reads whole messages of HTTP/1.1 from a connection, and writes
// small ones: on control sockets, for health checks, for self-tests. Heads are
// read by package http1, strictly; bodies are readers.
//
// It is not for the path of a request, on which lib/proxy allocates nothing. And it
// is no net/http, which with its TLS and its HTTP/2 was a third of each daemon that
// speaks over unix sockets alone: 3 MB of memory and 4 MB on disk.
package message

import (
	"bytes"
	"io"

	"passenger/lib/http1"
)

// roomAtFirst holds an ordinary head, in bytes. The room grows with a longer one,
// as far as http1.MaxHead.
const roomAtFirst = 2 << 10

// A Reader reads messages from a connection, one after another. Each body must be
// read to its end before the next head.
type Reader struct {
	from io.Reader
	buf  []byte // read, of which buf[at:] was not used yet
	at   int
}

// NewReader reads from a connection. Deadlines are the caller's.
func NewReader(from io.Reader) *Reader { return &Reader{from: from} }

// Wait waits until there is a byte that was not used, or an error.
func (r *Reader) Wait() error {
	if r.at < len(r.buf) {
		return nil
	}
	return r.fill()
}

// Request reads the head of a request into h, which keeps a copy of its bytes. The
// error is io.EOF where the connection ends between two messages, an *http1.Error
// for a head that is refused, else what the connection says.
func (r *Reader) Request(h *http1.Request) error {
	head, err := r.head(func(b []byte) (bool, int, error) {
		done, err := h.Parse(b)
		return done, h.Len, err
	}, h.Reset)
	if err != nil {
		return err
	}
	return h.Rebase(head)
}

// Response reads the head of a response into h, as Request does. Interim ones are
// the caller's to pass over.
func (r *Reader) Response(h *http1.Response) error {
	head, err := r.head(func(b []byte) (bool, int, error) {
		done, err := h.Parse(b)
		return done, h.Len, err
	}, h.Reset)
	if err != nil {
		return err
	}
	h.Reset()
	_, err = h.Parse(head)
	return err
}

// head returns a copy of the next head.
func (r *Reader) head(parse func([]byte) (done bool, length int, err error), reset func()) ([]byte, error) {
	reset()
	for {
		if r.at < len(r.buf) {
			done, length, err := parse(r.buf[r.at:])
			if err != nil {
				return nil, err
			}
			if done {
				head := bytes.Clone(r.buf[r.at : r.at+length])
				r.at += length
				return head, nil
			}
		}
		begun := r.at < len(r.buf)
		if err := r.fill(); err != nil {
			if err == io.EOF && begun {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// fill adds what can be read now to buf. It moves what was not used.
func (r *Reader) fill() error {
	if r.at > 0 {
		n := copy(r.buf, r.buf[r.at:])
		r.buf, r.at = r.buf[:n], 0
	}
	if len(r.buf) == cap(r.buf) {
		more := make([]byte, len(r.buf), max(roomAtFirst, 2*cap(r.buf)))
		copy(more, r.buf)
		r.buf = more
	}
	for range 100 { // a reader that returns nothing all the time is broken
		n, err := r.from.Read(r.buf[len(r.buf):cap(r.buf)])
		r.buf = r.buf[:len(r.buf)+n]
		switch {
		case n > 0:
			return nil // an error comes again
		case err != nil:
			return err
		}
	}
	return io.ErrNoProgress
}

// Read reads what comes behind the last message: the bytes of a connection that
// changed its protocol.
func (r *Reader) Read(p []byte) (int, error) {
	if r.at < len(r.buf) {
		n := copy(p, r.buf[r.at:])
		r.at += n
		return n, nil
	}
	return r.from.Read(p)
}
