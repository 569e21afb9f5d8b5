package message

import (
	"io"

	"passenger/lib/http1"
)

// A Body is the content of one message. Its end is io.EOF; a connection that ends
// before is io.ErrUnexpectedEOF, and a broken chunk an *http1.Error.
type Body struct {
	r      *Reader
	kind   http1.BodyKind
	left   int64 // of a Sized one
	chunks http1.Chunked
	err    error // of all further reads
}

// RequestBody is the content of the request whose head was read last.
func (r *Reader) RequestBody(h *http1.Request) *Body {
	switch {
	case h.Chunked:
		return r.body(http1.ChunkedEnd, 0)
	case h.ContentLength > 0:
		return r.body(http1.Sized, h.ContentLength)
	}
	return r.body(http1.NoBody, 0)
}

// ResponseBody is the content of the response whose head was read last, to a
// request of that method.
func (r *Reader) ResponseBody(h *http1.Response, method string) *Body {
	return r.body(h.Body(method == "HEAD"), h.ContentLength)
}

func (r *Reader) body(kind http1.BodyKind, length int64) *Body {
	b := &Body{r: r, kind: kind, left: length}
	if kind == http1.NoBody {
		b.err = io.EOF
	}
	return b
}

// Ended says that the body was read to its end.
func (b *Body) Ended() bool { return b.err == io.EOF }

func (b *Body) Read(p []byte) (n int, err error) {
	for n == 0 && b.err == nil && len(p) > 0 {
		n = b.read(p)
	}
	if n > 0 {
		return n, nil
	}
	return 0, b.err
}

// read reads once, and sets err where the body ends.
func (b *Body) read(p []byte) int {
	if b.kind == http1.ChunkedEnd {
		return b.readChunk(p)
	}
	if b.kind == http1.Sized && int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	if b.kind == http1.Sized {
		if b.left -= int64(n); b.left == 0 {
			err = io.EOF
		} else if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
	}
	b.err = err
	return n
}

// readChunk reads what is there of one chunk's data.
func (b *Body) readChunk(p []byte) int {
	if err := b.r.Wait(); err != nil {
		if b.err = err; err == io.EOF {
			b.err = io.ErrUnexpectedEOF
		}
		return 0
	}
	have := b.r.buf[b.r.at:]
	n, total, err := b.chunks.Decode(have[:min(len(have), len(p))])
	copy(p, have[:n])
	b.r.at += total
	switch {
	case err != nil:
		b.err = err
	case b.chunks.Done():
		b.err = io.EOF
	}
	return n
}
