//go:build race

package proxy

// racing says that the race detector is on: it makes sync.Pool forget.
const racing = true
