package http1

import "bytes"

const (
	maxChunkLine  = 512     // one line with a chunk's size and extensions
	maxExtensions = 8 << 10 // all extensions of a body
	maxTrailer    = 8 << 10 // all trailer lines of a body
)

// Chunked follows a chunked body, to pass it on as it is or to decode it. The
// zero Chunked is at the start of a body.
//
// The grammar is that of RFC 9112, 7.1 without the blanks that it calls bad:
// what a chunk's size line ends with is where parsers differ.
type Chunked struct {
	state chunkState
	left  uint64 // of the present chunk's data

	digits  int
	line    int    // bytes of extensions in this line
	ext     int    // bytes of extensions so far
	trailer int    // bytes of trailer lines so far
	text    []byte // of this trailer line; it and kept are all that is allocated, and rarely
	kept    []byte // trailer lines that may be passed on
}

type chunkState uint8

const (
	chunkSize      chunkState = iota // in the digits
	chunkExtName                     // after ";"
	chunkExtInName                   // in a name
	chunkExtValue                    // after "="
	chunkExtInVal                    // in a token
	chunkExtQuoted                   // in a quoted string
	chunkExtEscape                   // after a backslash in it
	chunkExtEnd                      // after its closing quote
	chunkSizeLF                      // after the CR of the size line
	chunkData                        // in the data
	chunkDataCR                      // after the data
	chunkDataLF                      // after its CR
	chunkTrailer                     // in a trailer line, or at its start
	chunkTrailerLF                   // after its CR
	chunkDone
)

// Reset puts c at the start of a body.
func (c *Chunked) Reset() {
	*c = Chunked{text: c.text[:0], kept: c.kept[:0]}
}

// Done says that the body is complete.
func (c *Chunked) Done() bool { return c.state == chunkDone }

// Between says that a chunk's size comes next, of which leading zeros are part.
func (c *Chunked) Between() bool { return c.state == chunkSize && c.digits == 0 }

// Trailer is the trailer's lines that may be passed on, each with its end:
// fields that no proxy acts on. A recipient that mistakes a trailer for header
// fields is so not misled.
func (c *Chunked) Trailer() []byte { return c.kept }

// Scan follows p, the next bytes of the body. total is how many of them belong
// to the body, all unless it ends; chunks is how many belong to chunks, the
// last one included, and not to the trailer. An error is an *[Error].
func (c *Chunked) Scan(p []byte) (chunks, total int, err error) {
	for total < len(p) && c.state != chunkDone {
		if c.state == chunkData {
			n := c.take(len(p) - total)
			total += n
			chunks = total
			continue
		}
		before := c.state
		if err := c.step(p[total]); err != nil {
			return chunks, total, err
		}
		total++
		if before < chunkTrailer {
			chunks = total
		}
	}
	return chunks, total, nil
}

// Decode moves the data in p, the next bytes of the body, to p's start. n is
// how much data that is, total how many bytes of p belong to the body.
func (c *Chunked) Decode(p []byte) (n, total int, err error) {
	for total < len(p) && c.state != chunkDone {
		if c.state == chunkData {
			m := c.take(len(p) - total)
			copy(p[n:], p[total:total+m])
			n += m
			total += m
			continue
		}
		if err := c.step(p[total]); err != nil {
			return n, total, err
		}
		total++
	}
	return n, total, nil
}

// Next follows p, the next bytes of the body, to the end of the first data in
// it. data is that part of p, empty if there is none; total is how many bytes
// it followed.
func (c *Chunked) Next(p []byte) (data []byte, total int, err error) {
	for total < len(p) && c.state != chunkDone {
		if c.state == chunkData {
			n := c.take(len(p) - total)
			return p[total : total+n], total + n, nil
		}
		if err := c.step(p[total]); err != nil {
			return nil, total, err
		}
		total++
	}
	return nil, total, nil
}

func (c *Chunked) take(have int) int {
	n := int(min(uint64(have), c.left))
	if c.left -= uint64(n); c.left == 0 {
		c.state = chunkDataCR
	}
	return n
}

// step follows one byte outside the data.
func (c *Chunked) step(b byte) error {
	switch c.state {
	case chunkSize:
		return c.size(b)
	case chunkSizeLF:
		if b != '\n' {
			return errChunkSize
		}
		c.state = chunkData
		if c.left == 0 {
			c.state = chunkTrailer
		}
		c.digits, c.line = 0, 0
		return nil
	case chunkDataCR, chunkDataLF:
		if c.state == chunkDataCR && b == '\r' {
			c.state = chunkDataLF
			return nil
		}
		if c.state == chunkDataLF && b == '\n' {
			c.state = chunkSize
			return nil
		}
		return errChunkEnd
	case chunkTrailer, chunkTrailerLF:
		return c.inTrailer(b)
	}
	return c.extension(b)
}

func (c *Chunked) size(b byte) error {
	if kinds[b]&isHex != 0 {
		// 15 digits are below 2^60, more than any body has.
		if c.digits++; c.digits > 15 {
			return errChunkSize
		}
		d := b - '0'
		if b > '9' {
			d = b | 0x20 - 'a' + 10
		}
		c.left = c.left<<4 | uint64(d)
		return nil
	}
	if c.digits == 0 {
		return errChunkSize
	}
	return c.endOfToken(b, errChunkSize)
}

// endOfToken follows a byte where an extension or the line's end may come.
func (c *Chunked) endOfToken(b byte, err error) error {
	switch b {
	case ';':
		c.state = chunkExtName
	case '\r':
		c.state = chunkSizeLF
	default:
		return err
	}
	return nil
}

func (c *Chunked) extension(b byte) error {
	c.line++
	c.ext++
	if c.line > maxChunkLine || c.ext > maxExtensions {
		return errChunkExtLong
	}
	token := kinds[b]&isToken != 0
	switch c.state {
	case chunkExtName:
		if !token {
			return errChunkExt
		}
		c.state = chunkExtInName
	case chunkExtInName:
		if b == '=' {
			c.state = chunkExtValue
		} else if !token {
			return c.endOfToken(b, errChunkExt)
		}
	case chunkExtValue:
		switch {
		case b == '"':
			c.state = chunkExtQuoted
		case token:
			c.state = chunkExtInVal
		default:
			return errChunkExt
		}
	case chunkExtInVal:
		if !token {
			return c.endOfToken(b, errChunkExt)
		}
	case chunkExtQuoted:
		switch {
		case b == '"':
			c.state = chunkExtEnd
		case b == '\\':
			c.state = chunkExtEscape
		case kinds[b]&isText == 0:
			return errChunkExt
		}
	case chunkExtEscape:
		if kinds[b]&isText == 0 {
			return errChunkExt
		}
		c.state = chunkExtQuoted
	case chunkExtEnd:
		return c.endOfToken(b, errChunkExt)
	}
	return nil
}

// inTrailer follows the trailer, whose lines have the syntax of fields.
func (c *Chunked) inTrailer(b byte) error {
	if c.trailer++; c.trailer > maxTrailer {
		return errTrailerLong
	}
	if c.state == chunkTrailerLF {
		if b != '\n' {
			return errTrailer
		}
		if len(c.text) == 0 {
			c.state = chunkDone
			return nil
		}
		kind, ok := trailerKind(c.text)
		if !ok {
			return errTrailer
		}
		if kind == Other {
			c.kept = append(append(c.kept, c.text...), "\r\n"...)
		}
		c.text, c.state = c.text[:0], chunkTrailer
		return nil
	}
	if b == '\r' {
		c.state = chunkTrailerLF
		return nil
	}
	if b == '\n' {
		return errTrailer
	}
	c.text = append(c.text, b)
	return nil
}

// trailerKind tells which field a trailer line is. ok is false for what is no
// field, or one that no trailer may have.
func trailerKind(line []byte) (kind Name, ok bool) {
	name, value, found := bytes.Cut(line, []byte{':'})
	if !found || len(name) == 0 || !all(name, isToken) || !validValue(value) {
		return Odd, false
	}
	if !all(name, isPlain) {
		return Odd, true
	}
	kind = nameOf(name)
	return kind, kind != ContentLength && kind != TransferEncoding && kind != Host
}
