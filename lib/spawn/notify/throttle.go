package notify

import "time"

// A process may say many things at once, but not for long: what comes beyond
// waits in its socket, which is the process's to wait for. So one that floods
// its notify socket costs us next to nothing.
const (
	noticeBurst = 200
	noticeEvery = 10 * time.Millisecond
)

// A throttle bounds a rate: noticeBurst at once, and then one each noticeEvery.
// The zero throttle has not seen any.
type throttle struct{ due time.Time }

// wait returns how long to wait before one is taken at now. It counts that one.
func (t *throttle) wait(now time.Time) time.Duration {
	if full := now.Add(-noticeBurst * noticeEvery); t.due.Before(full) {
		t.due = full
	}
	t.due = t.due.Add(noticeEvery)
	return max(0, t.due.Sub(now))
}
