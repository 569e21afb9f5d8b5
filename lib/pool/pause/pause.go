// Package pause says how long to wait before something that failed is tried
// again.
package pause

import "time"

const (
	first   = time.Second
	longest = 5 * time.Minute
)

// After is how long to wait after n failures in a row: 1 s, 2 s, 4 s and so on up
// to 5 minutes, and up to a quarter more by jitter, which is in [0, 1), so that
// what failed together is not tried together.
func After(n int, jitter float64) time.Duration {
	d := longest
	if shift := n - 1; shift < 9 {
		d = min(first<<shift, longest)
	}
	return d + time.Duration(jitter*float64(d)/4)
}

const (
	// Early is how soon after it was ready a process that ends has died at start.
	Early = 10 * time.Second

	// FreeDeaths of those in a row are replaced at once: anything may kill a
	// process.
	FreeDeaths = 2

	// Held is how long an early death is held against an app whose processes live
	// again.
	Held = time.Minute
)
