//go:build !go1.26 || go1.27

package wire

import "net"

// Slim does nothing with a Go whose crypto/tls nobody has looked into; see
// tls_go1.26.go.
func Slim(net.Conn) {}
