package notify

import (
	"testing"
	"time"
)

func TestThrottle(t *testing.T) {
	t.Parallel()
	var th throttle
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	for i := range noticeBurst {
		if d := th.wait(now); d != 0 {
			t.Fatalf("message %d of a burst waits %v", i+1, d)
		}
	}
	for range 1000 { // each waits as long as it is told
		d := th.wait(now)
		if d <= 0 || d > noticeEvery {
			t.Fatalf("in a flood a message waits %v, want at most %v", d, noticeEvery)
		}
		now = now.Add(d)
	}
	now = now.Add(noticeBurst * noticeEvery)
	if d := th.wait(now); d != 0 {
		t.Errorf("after a rest a message waits %v", d)
	}
}
