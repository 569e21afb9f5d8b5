package buffering

import "time"

const (
	// fastClient is how many bytes per second a client must take for the process
	// to wait for it: copying them to disk and back would cost more.
	fastClient = 12 << 20

	// MaxBudget is the longest that a process waits at once.
	MaxBudget = 50 * time.Millisecond
)

// A Budget is the blocking budget of an answer: for how long its process may still
// wait for the client before the answer is buffered. A client earns it by taking
// bytes, so that a fast one gets them without a detour, and a slow one holds the
// process for no longer than if it were fast.
type Budget time.Duration

// Earn counts n bytes that the client took.
func (b *Budget) Earn(n int) {
	*b += min(Budget(float64(n)/fastClient*float64(time.Second)), Budget(MaxBudget)-*b)
}

// Spend counts a wait.
func (b *Budget) Spend(d time.Duration) { *b = max(*b-Budget(d), 0) }
