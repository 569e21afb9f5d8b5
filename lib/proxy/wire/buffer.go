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
	sizes   = [...]int{Small, Medium, Large}
	buffers [len(sizes)]sync.Pool
)

func class(size int) int {
	switch {
	case size <= Small:
		return 0
	case size <= Medium:
		return 1
	}
	return 2
}

// TakeBuffer returns a buffer of at least size bytes, which is Large at most.
func TakeBuffer(size int) *Buffer {
	i := class(size)
	if b, ok := buffers[i].Get().(*Buffer); ok {
		return b
	}
	return &Buffer{B: make([]byte, sizes[i])}
}

// Free gives b back. Its bytes are no longer the caller's.
func (b *Buffer) Free() {
	if i := class(len(b.B)); len(b.B) == sizes[i] {
		buffers[i].Put(b)
	}
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
