package output

import (
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	t.Parallel()
	var p pace
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	const burst = paceRate * int(paceBurst/time.Second)
	for n := 0; n < burst; n += 1 << 20 {
		if d := p.wait(now, 1<<20); d != 0 {
			t.Fatalf("after %d MB of a burst: waits %v", n>>20, d)
		}
	}
	began := now
	for range 64 { // each waits as long as it is told
		now = now.Add(p.wait(now, 1<<20))
	}
	if took := now.Sub(began); took < 1900*time.Millisecond || took > 2100*time.Millisecond {
		t.Errorf("64 MB of a flood took %v, want 2s", took)
	}
	if d := p.wait(now.Add(time.Minute), 1<<20); d != 0 {
		t.Errorf("after a rest: waits %v", d)
	}
}
