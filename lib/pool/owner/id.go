package owner

import "crypto/rand"

// newID makes the ID of a process.
func newID() string {
	const letters = "abcdefghijklmnopqrstuvwxyz234567" // 32, so that all are equally likely
	b := make([]byte, 8)
	_, _ = rand.Read(b) // it never returns an error
	for i := range b {
		b[i] = letters[b[i]%32]
	}
	return string(b)
}
