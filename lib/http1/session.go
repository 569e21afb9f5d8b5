package http1

import (
	"bytes"
	"strconv"
)

// The session protocol's header block is a netstring, in one of two forms:
// pairs NAME NUL VALUE NUL; or names apart from values, NAME "," NAME … NUL
// VALUE NUL VALUE NUL …, perhaps with a mark before the first. To write pairs: BeginBlock, AppendPair as often as
// needed, FinishBlock. A [Block] writes either form.

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

// A Block is a header block that is being written: Name, what is appended to
// Value, and End for each variable; then Finish.
type Block struct {
	// Value ends with the value under way.
	Value []byte

	names []byte
	first int // where the first name begins
	apart bool
}

// PairsBlock begins a block of pairs, in b's memory, which is empty.
func PairsBlock(b []byte) Block { return Block{Value: BeginBlock(b)} }

// ApartBlock begins a block with names apart from values, both in empty memory,
// and mark, which may be empty, before the first name.
func ApartBlock(names, values []byte, mark string) Block {
	return Block{Value: values, names: append(BeginBlock(names), mark...), first: blockPrefix + len(mark), apart: true}
}

// Name begins a variable.
func (k *Block) Name(name string) {
	if !k.apart {
		k.Value = append(append(k.Value, name...), 0)
		return
	}
	k.comma()
	k.names = append(k.names, name...)
}

func (k *Block) comma() {
	if len(k.names) > k.first {
		k.names = append(k.names, ',')
	}
}

// End ends a value.
func (k *Block) End() { k.Value = append(k.Value, 0) }

// Pair adds a variable.
func (k *Block) Pair(name, value string) {
	k.Name(name)
	k.Value = append(append(k.Value, value...), 0)
}

// Finish returns the whole block, a part of the memory that it began in.
func (k *Block) Finish() []byte {
	if !k.apart {
		return FinishBlock(k.Value)
	}
	return FinishBlock(append(append(k.names, 0), k.Value...))
}

// Names is a set of fields.
type Names [lastName + 1]bool

// AddVariables adds the fields of r as variables HTTP_NAME, but for those in
// the set, those that Connection names and those with odd names. Fields of one
// name become one variable, their values joined by a comma, or by a semicolon
// for Cookie.
func (r *Request) AddVariables(k *Block, without *Names) {
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
		k.variable(r.buf[f.name:f.colon])
		k.Value = append(k.Value, r.buf[f.start:f.end]...)
		k.Value = append(r.appendRepeats(k.Value, i), 0)
	}
}

// variable begins the variable of a field.
func (k *Block) variable(name []byte) {
	if !k.apart {
		k.Value = append(appendVariable(append(k.Value, "HTTP_"...), name), 0)
		return
	}
	k.comma()
	k.names = appendVariable(append(k.names, "HTTP_"...), name)
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
