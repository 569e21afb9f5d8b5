package tunnel

import "encoding/binary"

// Frames follows the frames of a WebSocket (RFC 6455, section 5.2) in what one
// side sends, and knows when none is under way. Only then may a frame of our own
// come in between. A caller that passes bytes on unseen calls lose.
type Frames struct {
	head    [14]byte // the header of the next frame, as far as it is here
	Have    int
	Left    uint64 // bytes of the present frame's payload to come
	unknown bool   // bytes were lost
	Closed  bool   // a close frame was among them: the last one
}

const OpClose = 8

// Follow takes the next bytes.
func (f *Frames) Follow(p []byte) {
	for len(p) > 0 && !f.unknown {
		if f.Left > 0 {
			n := min(f.Left, uint64(len(p)))
			f.Left -= n
			p = p[n:]
			continue
		}
		f.head[f.Have] = p[0]
		f.Have++
		p = p[1:]
		if size := headerSize(f.head[:f.Have]); f.Have == size {
			f.Left = payload(f.head[:size])
			f.Closed = f.Closed || f.head[0]&0xf == OpClose
			f.Have = 0
		}
	}
}

// wrote follows what was written. torn says that more than that may have been,
// or that no more can be. f may be nil.
func (f *Frames) wrote(p []byte, torn bool) {
	switch {
	case f == nil:
	case torn:
		f.Lose()
	default:
		f.Follow(p)
	}
}

// Lose says that bytes went past.
func (f *Frames) Lose() { f.unknown = true }

// between says that no frame is under way and more may follow.
func (f *Frames) between() bool { return !f.unknown && !f.Closed && f.Have == 0 && f.Left == 0 }

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

// GoingAway is a close frame of a server with the status 1001: the endpoint
// goes away.
var GoingAway = []byte{0x80 | OpClose, 2, 1001 >> 8, 1001 & 0xff}
