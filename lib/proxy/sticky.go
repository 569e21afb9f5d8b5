package proxy

import (
	"fmt"
	"hash/fnv"

	"passenger/lib/http1"
)

// What a route that leaves them out means.
const (
	stickyCookie     = "_passenger_route"
	stickyAttributes = "SameSite=Lax; Secure;"
)

// stickyID names a process in cookies. Every proxy makes the same of it, and
// it tells a client nothing.
func stickyID(processID string) string {
	h := fnv.New32a()
	h.Write([]byte(processID))
	return fmt.Sprintf("%08x", h.Sum32())
}

// A sticky is how an app's clients find the process again that they had.
type sticky struct {
	name   []byte // of the cookie; nil if clients go anywhere
	suffix []byte // of the Set-Cookie line
}

func newSticky(m *mount) sticky {
	r := m.route
	if !r.StickySessions {
		return sticky{}
	}
	name, attributes := r.StickyCookie, r.StickyAttributes
	if name == "" {
		name = stickyCookie
	}
	if attributes == "" {
		attributes = stickyAttributes
	}
	base := m.base
	if base == "" {
		base = "/"
	}
	return sticky{[]byte(name), fmt.Appendf(nil, "; Path=%s; %s\r\n", base, attributes)}
}

// wanted returns the process ID in r's cookie, nil if there is none.
func (s *sticky) wanted(r *http1.Request) []byte {
	return r.Cookie(s.name)
}

// appendTo appends the line that sends the client to p again.
func (s *sticky) appendTo(b []byte, p *process) []byte {
	b = append(b, "Set-Cookie: "...)
	b = append(b, s.name...)
	b = append(b, '=')
	b = append(b, p.sticky...)
	return append(b, s.suffix...)
}

// pickFor returns a free process for w: the one that it had before, if that
// serves still. A busy one is waited for; one that is dead or stuck is not.
func (a *app) pickFor(w *waiter) *process {
	if w.alone {
		return a.pickAlone()
	}
	if len(w.wanted) > 0 {
		for _, p := range a.processes {
			if string(w.wanted) != p.sticky || p.draining || p.refused || p.hung() {
				continue
			}
			if a.paused != "" || !p.free() {
				return nil
			}
			return p
		}
	}
	return a.pick(w)
}
