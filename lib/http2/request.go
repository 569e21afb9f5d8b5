package http2

import (
	"io"
	"strconv"
	"sync"

	h2 "golang.org/x/net/http2"
)

var crlf = []byte("\r\n")

// A body holds a part of a request's body. It is borrowed as long as there is
// something in it: a stream that waits holds none.
type body struct{ b []byte }

var bodies = sync.Pool{New: func() any { return &body{} }}

// add adds p. What is before off was read, and makes room.
func (d *body) add(p []byte, off *int) {
	if *off > 0 && len(d.b)+len(p) > cap(d.b) {
		d.b, *off = append(d.b[:0], d.b[*off:]...), 0
	}
	d.b = append(d.b, p...)
}

func (d *body) free() {
	d.b = d.b[:0]
	bodies.Put(d)
}

// A request is what came of one, to be read as HTTP/1.1.
type request struct {
	text    []byte // to be read next, before body
	body    *body  // what came of the body, nil if all is read
	off     int    // where body goes on
	chunk   int    // what is left of body's present chunk, or of body
	length  int64  // of the body, -1 if it was not said
	came    int64  // of the body
	chunked bool
	tunnel  bool
	ended   bool // nothing more comes
	tailed  bool // the end of the chunks is in text, or was
	dropped bool // it is not read any more
	trailer []byte
}

// add adds the data of a frame that counts for size.
func (r *request) add(s *Stream, size int, p []byte) error {
	switch {
	case r.ended:
		return h2.StreamError{StreamID: s.id, Code: h2.ErrCodeStreamClosed}
	case !s.received.take(size):
		return h2.StreamError{StreamID: s.id, Code: h2.ErrCodeFlowControl}
	}
	r.came += int64(len(p))
	if r.length >= 0 && r.came > r.length && !r.tunnel {
		return h2.StreamError{StreamID: s.id, Code: h2.ErrCodeProtocol}
	}
	if r.dropped {
		s.conn.grant(len(p))
		return nil
	}
	if r.body == nil && len(p) > 0 {
		r.body = bodies.Get().(*body)
	}
	if len(p) > 0 {
		r.body.add(p, &r.off)
	}
	return nil
}

// end notes that nothing more comes, but for the lines of a trailer.
func (r *request) end(stream uint32, trailer []byte) error {
	if r.length >= 0 && r.came != r.length && !r.tunnel {
		return h2.StreamError{StreamID: stream, Code: h2.ErrCodeProtocol}
	}
	r.ended = true
	if r.chunked {
		r.trailer = append(r.trailer, trailer...)
	}
	return nil
}

// read fills p with what is there: n bytes, of which used are the client's.
func (r *request) read(p []byte) (n, used int) {
	for n < len(p) {
		switch {
		case len(r.text) > 0:
			m := copy(p[n:], r.text)
			r.text = r.text[m:]
			n += m
		case r.chunk > 0:
			m := copy(p[n:], r.body.b[r.off:r.off+r.chunk])
			n += m
			used += m
			r.take(m)
		case r.body != nil:
			r.chunk = len(r.body.b) - r.off
			if r.chunked {
				r.text = append(strconv.AppendInt(nil, int64(r.chunk), 16), "\r\n"...)
			}
		case r.ended && r.chunked && !r.tailed:
			r.tailed = true
			r.text = append(append([]byte("0\r\n"), r.trailer...), "\r\n"...)
		default:
			return n, used
		}
	}
	return n, used
}

func (r *request) take(n int) {
	r.off += n
	if r.chunk -= n; r.chunk == 0 && r.chunked {
		r.text = crlf
	}
	if r.off == len(r.body.b) {
		r.freeBody()
	}
}

// over is what to return to who reads when there is nothing to read.
func (r *request) over(answered bool) error {
	if answered || r.tunnel && r.ended {
		return io.EOF
	}
	return nil
}

// drop forgets the rest, so many bytes of the client's.
func (r *request) drop() (n int) {
	if r.body != nil {
		n = len(r.body.b) - r.off
		r.freeBody()
	}
	r.text, r.chunk, r.dropped = nil, 0, true
	return n
}

func (r *request) freeBody() {
	r.body.free()
	r.body, r.off = nil, 0
}
