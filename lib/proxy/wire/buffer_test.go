package wire

import "testing"

// What is held for long takes no more room than it must, and none that a pool does
// not get back.
func TestShrunkBuffers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ size, hold, want int }{
		{Small, 0, 512}, {Small, 512, 512}, {Small, 513, 1 << 10}, {Small, 1 << 10, 1 << 10}, {Small, 1<<10 + 1, 2 << 10}, {Small, 2<<10 + 1, Small}, {Small, Small, Small},
		{Medium, 100, 512}, {Medium, 3000, Small}, {Medium, Small + 1, Medium}, {Large, 100 << 10, Large}, {Large, 5000, Medium},
	} {
		b := TakeBuffer(tt.size)
		for i := range b.B {
			b.B[i] = byte(i)
		}
		s := b.Shrunk(tt.hold)
		if len(s.B) != tt.want {
			t.Errorf("%d bytes of a buffer of %d are in one of %d, want %d", tt.hold, tt.size, len(s.B), tt.want)
		}
		for i, c := range s.B[:tt.hold] {
			if c != byte(i) {
				t.Fatalf("byte %d is %d", i, c)
			}
		}
		s.Free()
	}
	if n := len(TakeBuffer(1).B); n != Small {
		t.Errorf("a buffer of 1 byte has %d, want %d", n, Small)
	}
}

func TestShrinkingAllocatesNothing(t *testing.T) {
	if racing {
		t.Skip("the race detector makes sync.Pool forget")
	}
	if n := testing.AllocsPerRun(1000, func() { TakeBuffer(Small).Shrunk(100).Free() }); n > 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
