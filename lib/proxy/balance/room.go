package balance

import "golang.org/x/sys/unix"

const (
	// mostPlaces is how many requests may wait for an app whose settings say
	// nothing of it: what comes in seconds in which no process answers.
	mostPlaces = 2048

	// placeCost is what a request that waits holds, in bytes: its head, its
	// goroutine and what TLS needs.
	placeCost = 32 << 10

	// memoryShare is the part of the machine's memory that may be held so, as a
	// divisor.
	memoryShare = 8
)

// MemoryPlaces is how many places the machine's memory allows.
func MemoryPlaces() int {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return mostPlaces
	}
	total := uint64(info.Totalram) * uint64(info.Unit)
	return int(total / memoryShare / placeCost)
}

// Places is how many requests may wait for an app for which own wait now: half
// of what those that wait for other apps leave of the memory, which is for most, and of
// the descriptors for clients; waiting is how many wait for any app. So however many apps
// stand still, there is room for those that wait for one more, or for nothing.
func Places(own, most, waiting, descriptors int64) int {
	left := min(most, descriptors) - (waiting - own)
	return int(min(max(left, 0)/2, mostPlaces))
}
