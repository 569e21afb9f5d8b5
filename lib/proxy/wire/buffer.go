package wire

import "sync"

// Sizes of buffers. A small one holds a request's head; a medium one a
// response's head and the start of its body; a large one is for streaming,
// and for heads and bodies that need it.
const (
	Small  = 4 << 10
	Medium = 16 << 10
	Large  = 128 << 10
)

// A Buffer is borrowed with TakeBuffer and given back with Free. A connection
// that is idle holds none.
type Buffer struct{ B []byte }

var (
	sizes   = [...]int{Small >> 3, Small >> 2, Small >> 1, Small, Medium, Large}
	buffers [len(sizes)]sync.Pool
)

// small is the class of what TakeBuffer returns at least.
const small = 3

// class is that of the smallest buffers of size bytes, from the class least on.
func class(size, least int) int {
	for i := least; i < len(sizes)-1; i++ {
		if size <= sizes[i] {
			return i
		}
	}
	return len(sizes) - 1
}

// TakeBuffer returns a buffer of at least size bytes, which is Large at most.
func TakeBuffer(size int) *Buffer { return take(class(size, small)) }

func take(i int) *Buffer {
	if b, ok := buffers[i].Get().(*Buffer); ok {
		return b
	}
	return &Buffer{B: make([]byte, sizes[i])}
}

// Free gives b back. Its bytes are no longer the caller's.
func (b *Buffer) Free() {
	if i := class(len(b.B), 0); len(b.B) == sizes[i] {
		buffers[i].Put(b)
	}
}

// Shrunk returns a buffer that begins with the first n bytes of b and has little
// room for more: b, or one for which b is freed. It is for bytes that are held
// while a client is slow.
func (b *Buffer) Shrunk(n int) *Buffer {
	i := class(n, 0)
	if sizes[i] >= len(b.B) {
		return b
	}
	s := take(i)
	copy(s.B, b.B[:n])
	b.Free()
	return s
}

// Fitted returns a buffer of no more than the first n bytes of b, which it frees:
// they will be held for long.
func (b *Buffer) Fitted(n int) *Buffer {
	f := &Buffer{B: make([]byte, n)}
	copy(f.B, b.B)
	b.Free()
	return f
}

// Grown returns a buffer of at least size bytes that begins with the first n
// of b, which it frees.
func (b *Buffer) Grown(size, n int) *Buffer {
	g := TakeBuffer(size)
	copy(g.B, b.B[:n])
	b.Free()
	return g
}

// FreeIf frees b unless it is nil.
func (b *Buffer) FreeIf() {
	if b != nil {
		b.Free()
	}
}
