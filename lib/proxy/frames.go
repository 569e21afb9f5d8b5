package proxy

import "encoding/binary"

// frames follows the frames of a WebSocket (RFC 6455, section 5.2) in what one
// side sends, as far as to know when none is under way. Only then may a frame of
// our own come in between. Whoever passes bytes on past it calls lose.
type frames struct {
	head    [14]byte // the header of the next frame, as far as it is here
	have    int
	left    uint64 // bytes of the present frame's payload to come
	unknown bool   // bytes were lost
	closed  bool   // a close frame was among them: the last one
}

const opClose = 8

// follow takes the next bytes.
func (f *frames) follow(p []byte) {
	for len(p) > 0 && !f.unknown {
		if f.left > 0 {
			n := min(f.left, uint64(len(p)))
			f.left -= n
			p = p[n:]
			continue
		}
		f.head[f.have] = p[0]
		f.have++
		p = p[1:]
		if size := headerSize(f.head[:f.have]); f.have == size {
			f.left = payload(f.head[:size])
			f.closed = f.closed || f.head[0]&0xf == opClose
			f.have = 0
		}
	}
}

// wrote follows what was written. torn says that more than that may have been,
// or that no more can be. f may be nil.
func (f *frames) wrote(p []byte, torn bool) {
	switch {
	case f == nil:
	case torn:
		f.lose()
	default:
		f.follow(p)
	}
}

// lose says that bytes went past.
func (f *frames) lose() { f.unknown = true }

// between says that no frame is under way and more may follow.
func (f *frames) between() bool { return !f.unknown && !f.closed && f.have == 0 && f.left == 0 }

// headerSize is how long the header will be that begins with b, at least.
func headerSize(b []byte) int {
	size := 2
	if len(b) < size {
		return size
	}
	switch b[1] & 0x7f {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if b[1]&0x80 != 0 {
		size += 4 // of the mask
	}
	return size
}

func payload(head []byte) uint64 {
	switch n := head[1] & 0x7f; n {
	case 126:
		return uint64(binary.BigEndian.Uint16(head[2:]))
	case 127:
		return binary.BigEndian.Uint64(head[2:])
	default:
		return uint64(n)
	}
}

// goingAway is a close frame of a server with the status 1001: the endpoint
// goes away.
var goingAway = []byte{0x80 | opClose, 2, 1001 >> 8, 1001 & 0xff}
