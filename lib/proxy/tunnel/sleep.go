package tunnel

import "time"

// A Bed is where a client sleeps of which nothing comes: most WebSockets are quiet
// most of the time, and a goroutine takes more memory than a connection.
type Bed interface {
	// Sleep has wake called, in a goroutine of its own, when the client has
	// something to read or the clock's time is by; earlier does no harm. If it
	// returns false it calls nothing.
	Sleep(by int64, wake func()) bool

	// Wake ends that; see wire.Waker.
	Wake() bool
}

// SleepIn has the client's direction sleep in bed when nothing came for patience.
// It is called before Run.
func (t *Tunnel) SleepIn(bed Bed, patience time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bed, t.patience = bed, patience
	t.awaitClient()
}

// awaitClient bounds the present wait for the client. The tunnel's mutex is held.
func (t *Tunnel) awaitClient() {
	by := t.by
	if t.patience > 0 {
		by = min(by, t.client.Clock.After(t.patience))
	}
	t.client.Postpone(by)
}

// isQuiet says that a wait for the client ended only so that it can sleep. Who cuts
// the tunnel off says so first, and then ends the wait that begins here.
func (t *Tunnel) isQuiet() bool {
	if t.bed == nil || t.client.Clock.Ending.Load() {
		return false
	}
	t.client.Rearm()
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.severed.Load() && t.client.Clock.Now.Load() < t.by
}

// sleep has the client sleep, and says whether it does. If it does not it never
// will.
func (t *Tunnel) sleep() bool {
	t.mu.Lock()
	patience, by := t.patience, t.by
	t.patience = 0
	t.mu.Unlock()
	wake := func() {
		t.mu.Lock()
		t.patience = patience
		t.awaitClient()
		t.mu.Unlock()
		t.runUp(nil)
	}
	if patience > 0 && t.bed.Sleep(by, wake) {
		if t.severed.Load() {
			t.bed.Wake()
		}
		return true
	}
	t.client.Postpone(by)
	return false
}
