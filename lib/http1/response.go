package http1

import "bytes"

// A Response is the head of one response. Call Reset before each message.
type Response struct {
	Head

	// Status is the code, 100 to 999.
	Status int

	// Reason is the reason phrase, a part of the buffer, empty if there was
	// none.
	Reason []byte
}

// Reset makes r ready for another response.
func (r *Response) Reset() {
	r.reset()
	r.Status, r.Reason = 0, nil
}

// Parse looks at buf, which holds a response from its first byte on, and says
// whether its head is complete, as [Request.Parse] does.
func (r *Response) Parse(buf []byte) (done bool, err error) {
	r.buf = buf
	if r.lines == 0 {
		ok, err := r.parseLine()
		if err != nil || !ok {
			return false, err
		}
	}
	if done, err := r.parseFields(); err != nil || !done {
		return false, err
	}
	if err := r.checkFraming(); err != nil {
		return false, err
	}
	r.readConnection()
	// The line is the first one: its offsets need not be kept.
	if line, _, _ := bytes.Cut(r.buf[:r.Len], []byte{'\r'}); len(line) > len("HTTP/1.1 200 ") {
		r.Reason = line[len("HTTP/1.1 200 "):]
	}
	return true, nil
}

func (r *Response) parseLine() (ok bool, err error) {
	line, _, ok, err := r.line()
	if err != nil {
		return false, err
	}
	const prefix = "HTTP/1."
	if !ok {
		line = r.buf
		if len(line) > MaxRequestLine {
			return false, errStatusLine
		}
		if n := min(len(line), len(prefix)); string(line[:n]) != prefix[:n] {
			return false, errStatusLine
		}
		return false, nil
	}
	if len(line) < len("HTTP/1.1 200") || string(line[:len(prefix)]) != prefix || line[8] != ' ' {
		return false, errStatusLine
	}
	if line[7] != '0' && line[7] != '1' {
		return false, errStatusLine
	}
	r.Minor = line[7] - '0'
	status := number(line[9:12])
	if status < 100 {
		return false, errStatusLine
	}
	r.Status = int(status)
	if rest := line[12:]; len(rest) > 0 && (rest[0] != ' ' || !validValue(rest)) {
		return false, errStatusLine
	}
	return true, nil
}

// A BodyKind says how the end of a response's body is known.
type BodyKind uint8

const (
	NoBody     BodyKind = iota
	Sized               // after ContentLength bytes
	ChunkedEnd          // by the chunked coding
	UntilClose          // by the end of the connection
)

// Body says how the body of r, an answer to a request that was a HEAD or not,
// ends.
func (r *Response) Body(head bool) BodyKind {
	switch {
	case head || r.Status < 200 || r.Status == 204 || r.Status == 304:
		return NoBody
	case r.Chunked:
		return ChunkedEnd
	case r.ContentLength == 0:
		return NoBody
	case r.ContentLength > 0:
		return Sized
	}
	return UntilClose
}
