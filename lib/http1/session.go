package http1

import (
	"bytes"
	"strconv"
)

// The session protocol's header block is a netstring of pairs NAME NUL VALUE
// NUL. To write one: BeginBlock, AppendPair and [Request.AppendVariables] as
// often as needed, FinishBlock.

// blockPrefix is the room for the netstring's length and colon.
const blockPrefix = 8

// BeginBlock makes room in b, which is empty, for the block's length.
func BeginBlock(b []byte) []byte { return append(b, "        "[:blockPrefix]...) }

// FinishBlock writes the length before the pairs and returns the whole block,
// a part of b.
func FinishBlock(b []byte) []byte {
	var digits [blockPrefix]byte
	length := strconv.AppendInt(digits[:0], int64(len(b)-blockPrefix), 10)
	length = append(length, ':')
	start := blockPrefix - len(length)
	copy(b[start:], length)
	return append(b, ',')[start:]
}

// AppendPair appends one pair.
func AppendPair[V string | []byte](b []byte, name string, value V) []byte {
	b = append(b, name...)
	b = append(b, 0)
	b = append(b, value...)
	return append(b, 0)
}

// Names is a set of fields.
type Names [lastName + 1]bool

// AppendVariables appends the fields of r as pairs HTTP_NAME, but for those
// in the set, those that Connection names and those with odd names. Fields of
// one name become one pair, their values joined by a comma, or by a semicolon
// for Cookie.
func (r *Request) AppendVariables(b []byte, without *Names) []byte {
	var seen uint64 // a bit for each name so far: most are not repeated
	for i := range r.count {
		f := &r.fields[i]
		if without[f.kind] || f.kind == Odd || f.hop {
			continue
		}
		bit := uint64(1) << ((r.buf[f.colon-1]&0x1f ^ r.buf[f.name]&0x1f<<1 ^ byte(f.colon-f.name)*5) & 63)
		if seen&bit != 0 && r.earlier(i) {
			continue
		}
		seen |= bit
		b = append(b, "HTTP_"...)
		b = appendVariable(b, r.buf[f.name:f.colon])
		b = append(b, 0)
		b = append(b, r.buf[f.start:f.end]...)
		b = r.appendRepeats(b, i)
		b = append(b, 0)
	}
	return b
}

func (r *Request) appendRepeats(b []byte, i int) []byte {
	first := r.Name(i)
	for j := i + 1; j < r.count; j++ {
		f := &r.fields[j]
		if int(f.colon-f.name) != len(first) || !bytes.EqualFold(r.Name(j), first) {
			continue
		}
		if f.kind == Cookie {
			b = append(b, "; "...)
		} else {
			b = append(b, ", "...)
		}
		b = append(b, r.Value(j)...)
	}
	return b
}

func (r *Request) earlier(i int) bool {
	name := r.Name(i)
	for j := range i {
		f := &r.fields[j]
		if int(f.colon-f.name) == len(name) && bytes.EqualFold(r.Name(j), name) {
			return true
		}
	}
	return false
}

// variables maps the bytes of a plain name to those of a CGI variable.
var variables = func() (v [256]byte) {
	for c := range 256 {
		b := byte(c)
		switch {
		case b >= 'a' && b <= 'z':
			b -= 'a' - 'A'
		case b == '-':
			b = '_'
		}
		v[c] = b
	}
	return v
}()

func appendVariable(b, name []byte) []byte {
	for _, c := range name {
		b = append(b, variables[c])
	}
	return b
}
