//go:build !amd64

package proc

// olderWaits are calls that this machine does without.
var olderWaits map[int]wait
