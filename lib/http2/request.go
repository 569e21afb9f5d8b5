package http2

import (
	"io"
	"strconv"

	h2 "golang.org/x/net/http2"
)

var crlf = []byte("\r\n")

// A request is what came of one, to be read as HTTP/1.1.
type request struct {
	text    []byte // to be read next, before data
	data    []byte // of the body, from off on
	off     int
	chunk   int   // what is left of data's present chunk, or of data
	length  int64 // of the body, -1 if it was not said
	came    int64 // of the body
	chunked bool
	tunnel  bool
	ended   bool // nothing more comes
	tailed  bool // the end of the chunks is in text, or was
	dropped bool // nobody reads it
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
	if r.off > 0 && len(r.data)+len(p) > cap(r.data) {
		r.data, r.off = append(r.data[:0], r.data[r.off:]...), 0
	}
	r.data = append(r.data, p...)
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
			m := copy(p[n:], r.data[r.off:r.off+r.chunk])
			n += m
			used += m
			r.take(m)
		case r.off < len(r.data):
			r.chunk = len(r.data) - r.off
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
	if r.off == len(r.data) {
		r.data, r.off = r.data[:0], 0
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
	n = len(r.data) - r.off
	r.text, r.data, r.off, r.chunk, r.dropped = nil, nil, 0, 0, true
	return n
}
