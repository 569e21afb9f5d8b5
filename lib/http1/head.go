package http1

import "bytes"

// A Head is the fields of a request or response and what they say of its
// body. Methods that return bytes return parts of the buffer last parsed.
type Head struct {
	buf    []byte
	fields []field // room for them, which a head that is parsed later uses again
	count  int

	// pos is how many bytes of buf are parsed: whole lines.
	pos   int
	lines int // parsed, the first line included

	// Len is the length of the head in bytes, once it is complete.
	Len int

	// Minor is the version: HTTP/1.Minor.
	Minor uint8

	// ContentLength is -1 if there is none.
	ContentLength int64

	// Chunked says that the body is chunked. It excludes a length.
	Chunked bool

	// KeepAlive says that the connection may be used for another message,
	// as far as this head tells.
	KeepAlive bool

	// AsksUpgrade says that Connection lists "upgrade".
	AsksUpgrade bool

	hosts, lengths, codings int // how many fields of the kind there are
	host                    field
}

type field struct {
	name, colon, start, end uint16 // the name is [name,colon), the value [start,end)
	kind                    Name
	hop                     bool // named in Connection
}

func (h *Head) reset() {
	h.buf, h.count, h.pos, h.lines, h.Len = nil, 0, 0, 0, 0
	h.Minor, h.ContentLength, h.Chunked, h.KeepAlive, h.AsksUpgrade = 0, -1, false, false, false
	h.hosts, h.lengths, h.codings = 0, 0, 0
}

// Count is how many fields there are.
func (h *Head) Count() int { return h.count }

// Name is the name of field i as it was written.
func (h *Head) Name(i int) []byte { f := &h.fields[i]; return h.buf[f.name:f.colon] }

// Value is the value of field i without surrounding blanks.
func (h *Head) Value(i int) []byte { f := &h.fields[i]; return h.buf[f.start:f.end] }

// Line is field i from the name's first byte to the value's last.
func (h *Head) Line(i int) []byte { f := &h.fields[i]; return h.buf[f.name:f.end] }

// Kind tells which field i is.
func (h *Head) Kind(i int) Name { return h.fields[i].kind }

// Hop says that Connection names field i, so that it ends here.
func (h *Head) Hop(i int) bool { return h.fields[i].hop }

// Find returns the value of the first field of a kind, nil if there is none.
func (h *Head) Find(kind Name) []byte {
	for i := range h.count {
		if h.fields[i].kind == kind {
			return h.Value(i)
		}
	}
	return nil
}

// line returns the next line without its end. ok is false if it is not whole
// yet.
func (h *Head) line() (line []byte, start int, ok bool, err error) {
	start = h.pos
	end := bytes.IndexByte(h.buf[start:], '\n')
	if end < 0 {
		return nil, start, false, nil
	}
	end += start
	if end == start || h.buf[end-1] != '\r' {
		return nil, start, false, errLineEnd
	}
	h.pos = end + 1
	h.lines++
	return h.buf[start : end-1], start, true, nil
}

// parseFields reads field lines up to the empty one.
func (h *Head) parseFields() (done bool, err error) {
	for {
		line, start, ok, err := h.line()
		if err != nil {
			return false, err
		}
		if h.pos > MaxHead || !ok && len(h.buf) > MaxHead {
			return false, errHeadTooLong
		}
		if !ok {
			return false, nil
		}
		if len(line) == 0 {
			h.Len = h.pos
			return true, nil
		}
		if err := h.parseField(line, start); err != nil {
			return false, err
		}
	}
}

func (h *Head) parseField(line []byte, start int) error {
	if line[0] == ' ' || line[0] == '\t' {
		return errFold
	}
	if h.count == MaxFields {
		return errTooMany
	}
	colon, plain := 0, uint8(isPlain)
	for colon < len(line) {
		k := kinds[line[colon]]
		if k&isToken == 0 {
			break
		}
		plain &= k
		colon++
	}
	if colon == 0 || colon == len(line) || line[colon] != ':' {
		return errFieldName
	}
	first, last := colon+1, len(line)
	for first < last && (line[first] == ' ' || line[first] == '\t') {
		first++
	}
	for last > first && (line[last-1] == ' ' || line[last-1] == '\t') {
		last--
	}
	value := line[first:last]
	if !validValue(value) {
		return errFieldValue
	}
	if h.count == len(h.fields) {
		h.grow()
	}
	f := &h.fields[h.count]
	*f = field{name: uint16(start), colon: uint16(start + colon), start: uint16(start + first), end: uint16(start + last), kind: Odd}
	if plain != 0 {
		f.kind = nameOf(line[:colon])
	}
	h.count++
	return h.note(f, value)
}

// usualFields is how many fields nearly every head has room with. Room for
// MaxFields would be 2 kB of each request that is under way.
const usualFields = 24

// grow makes room for more fields.
func (h *Head) grow() {
	more := make([]field, min(max(usualFields, 2*len(h.fields)), MaxFields))
	copy(more, h.fields)
	h.fields = more
}

// note keeps what a field says of the message's framing.
func (h *Head) note(f *field, value []byte) error {
	switch f.kind {
	case Host:
		h.hosts++
		h.host = *f
	case ContentLength:
		h.lengths++
		if h.ContentLength = number(value); h.ContentLength < 0 {
			return errLength
		}
	case TransferEncoding:
		h.codings++
		if !EqualFold(value, "chunked") {
			return codingError(value)
		}
		h.Chunked = true
	}
	return nil
}

// codingError tells a list of codings that ends in chunked, which we could not
// undo, from one that makes no sense.
func codingError(list []byte) error {
	for {
		var token []byte
		if token, list = NextToken(list); len(token) == 0 || !all(token, isToken) {
			return errTE
		}
		switch last := list == nil; {
		case EqualFold(token, "chunked") && last:
			return errTEUnknown
		case EqualFold(token, "chunked") || EqualFold(token, "identity") || last:
			return errTE
		}
	}
}

// checkFraming refuses what would leave the end of the message in doubt.
func (h *Head) checkFraming() error {
	switch {
	case h.lengths > 0 && h.codings > 0:
		return errLengthAndTE
	case h.lengths > 1:
		return errLengthTwice
	case h.codings > 1:
		return errTE
	case h.codings > 0 && h.Minor == 0:
		return errTEVersion
	}
	return nil
}

// readConnection applies the Connection fields.
func (h *Head) readConnection() {
	h.KeepAlive = h.Minor > 0
	var closes bool
	for i := range h.count {
		if h.fields[i].kind != Connection {
			continue
		}
		for list := h.Value(i); list != nil; {
			var token []byte
			token, list = NextToken(list)
			switch {
			case len(token) == 0:
			case EqualFold(token, "close"):
				closes = true
			case EqualFold(token, "keep-alive"):
				h.KeepAlive = true
			case EqualFold(token, "upgrade"):
				h.AsksUpgrade = true
			default:
				h.markHop(token)
			}
		}
	}
	if closes {
		h.KeepAlive = false
	}
}

// markHop marks the fields that token names. It never marks a length:
// RFC 9110, 7.6.1, forbids a sender to name a field that is meant for all
// recipients, and a message passed on without its length would end elsewhere.
func (h *Head) markHop(token []byte) {
	for i := range h.count {
		f := &h.fields[i]
		if f.kind != ContentLength && int(f.colon-f.name) == len(token) && bytes.EqualFold(h.Name(i), token) {
			f.hop = true
		}
	}
}

// EndsHead says whether the last n bytes of buf end a head that begins there, or
// would if line feeds alone ended lines: what is wrong with that is for a parser
// to say.
func EndsHead(buf []byte, n int) bool {
	for i := max(len(buf)-n, 1); i < len(buf); i++ {
		if buf[i] == '\n' && (buf[i-1] == '\n' || i > 1 && buf[i-1] == '\r' && buf[i-2] == '\n') {
			return true
		}
	}
	return false
}
