package tunnel

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// frame makes a frame with a payload of n bytes, masked if asked.
func frame(op byte, n int, masked bool) []byte {
	b := []byte{0x80 | op, 0}
	switch {
	case n > 0xffff:
		b[1] = 127
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	case n > 125:
		b[1] = 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] = byte(n)
	}
	if masked {
		b[1] |= 0x80
		b = append(b, 1, 2, 3, 4)
	}
	return append(b, bytes.Repeat([]byte{0x88}, n)...) // looks like close frames
}

func TestFramesEndWhereTheyEnd(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 125, 126, 0xffff, 0x10000} {
		for _, masked := range []bool{false, true} {
			text := frame(1, n, masked)
			var f Frames
			for i := range text {
				if f.between() != (i == 0) {
					t.Fatalf("a frame of %d bytes, masked %v: after %d of %d bytes between is %v", n, masked, i, len(text), f.between())
				}
				f.Follow(text[i : i+1])
			}
			f.Follow(append(frame(9, 3, false), frame(2, 200, false)...))
			if !f.between() {
				t.Errorf("a frame of %d bytes, masked %v, and two others: a frame is under way", n, masked)
			}
		}
	}
}

func TestNothingFollowsACloseFrame(t *testing.T) {
	t.Parallel()
	var f Frames
	f.Follow(GoingAway)
	if f.between() {
		t.Error("another frame may follow")
	}
}

func TestLostBytesHideTheFrames(t *testing.T) {
	t.Parallel()
	var f Frames
	f.Lose()
	f.Follow(frame(1, 3, false))
	if f.between() {
		t.Error("it knows what it cannot know")
	}
}

// However the bytes are cut, they mean the same.
func FuzzFrames(f *testing.F) {
	f.Add(frame(1, 5, false), 1)
	f.Add(append(frame(2, 126, true), GoingAway...), 3)
	f.Add([]byte{0x82, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0}, 2)
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		var whole, pieces Frames
		whole.Follow(text)
		cut = max(cut, 1)
		for rest := text; len(rest) > 0; {
			n := min(cut, len(rest))
			pieces.Follow(rest[:n])
			rest = rest[n:]
		}
		if whole.between() != pieces.between() || whole.Left != pieces.Left || whole.Closed != pieces.Closed {
			t.Errorf("%x: got %+v in pieces of %d, %+v at once", text, pieces, cut, whole)
		}
	})
}
