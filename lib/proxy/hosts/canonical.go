package hosts

import (
	"bytes"
	"strings"

	"passenger/lib/http1"
	"passenger/lib/protocol"
)

// A Canonical host is the one that an app wants to be known by.
type Canonical struct {
	name   []byte
	port   string // empty if any will do
	health string // the path that may have any host; empty for none
}

// NewCanonical is what a route says of it, nil for nothing.
func NewCanonical(r *protocol.Route) *Canonical {
	if r.CanonicalHost == "" {
		return nil
	}
	name, port := http1.SplitHost([]byte(r.CanonicalHost))
	health, _, _ := strings.Cut(r.HealthPath, "?")
	return &Canonical{name, string(port), health}
}

// Instead returns the host that a request for path is to be made to instead, nil if
// host is the right one already. Without a port of its own, the canonical host has that
// of the request. standard is the port of the request's scheme, which clients leave out
// of a host, also where a redirect has it.
func (c *Canonical) Instead(host, path []byte, standard string) []byte {
	name, port := http1.SplitHost(host)
	same := string(port) == c.port || len(port) == 0 && c.port == standard
	if len(host) == 0 || c.health != "" && string(path) == c.health || bytes.EqualFold(name, c.name) && (c.port == "" || same) {
		return nil
	}
	if c.port != "" {
		port = []byte(c.port)
	}
	to := bytes.Clone(c.name)
	if len(port) > 0 {
		to = append(append(to, ':'), port...)
	}
	return to
}
