package proxy

import "sync"

// Sizes of buffers. A small one holds a request's head; a medium one a
// response's head and the start of its body; a large one is for streaming,
// and for heads and bodies that need it.
const (
	small  = 4 << 10
	medium = 16 << 10
	large  = 128 << 10
)

// A buffer is borrowed with takeBuffer and given back with free; an idle
// connection holds none.
type buffer struct{ b []byte }

var buffers [3]sync.Pool

func class(size int) int {
	switch {
	case size <= small:
		return 0
	case size <= medium:
		return 1
	}
	return 2
}

// takeBuffer returns a buffer of at least size bytes; over large there is none.
func takeBuffer(size int) *buffer {
	i := class(size)
	if b, ok := buffers[i].Get().(*buffer); ok {
		return b
	}
	return &buffer{b: make([]byte, [...]int{small, medium, large}[i])}
}

func (b *buffer) free() { buffers[class(len(b.b))].Put(b) }

// grown returns a buffer of at least size bytes that begins with the first n
// of b, which it frees.
func (b *buffer) grown(size, n int) *buffer {
	g := takeBuffer(size)
	copy(g.b, b.b[:n])
	b.free()
	return g
}
