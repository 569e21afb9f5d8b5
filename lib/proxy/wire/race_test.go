//go:build race

package wire

// racing says that the race detector is on: it makes sync.Pool forget.
const racing = true
