package proxy

import "time"

const (
	// fastClient is how many bytes per second a client takes for whom it is
	// worth to let the process wait: copying what it gives to disk and back
	// costs more.
	fastClient = 12 << 20

	maxCredit = 50 * time.Millisecond
)

// A credit is for how long a process may still be let wait for its client,
// before what it gives is kept. A client earns it by taking bytes, so that one
// that is fast gets them without a detour, and one that is slow holds the
// process for no longer than if it were fast.
type credit time.Duration

// earn counts n bytes that the client took.
func (c *credit) earn(n int) {
	*c += min(credit(float64(n)/fastClient*float64(time.Second)), credit(maxCredit)-*c)
}

// spend counts a wait.
func (c *credit) spend(d time.Duration) { *c = max(*c-credit(d), 0) }
