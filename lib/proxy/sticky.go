package proxy

import (
	"fmt"

	"passenger/lib/http1"
	"passenger/lib/proxy/balance"
)

// What a route that leaves them out means.
const (
	stickyCookie     = "_passenger_route"
	stickyAttributes = "SameSite=Lax; Secure;"
)

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
func (s *sticky) appendTo(b []byte, p *balance.Process) []byte {
	b = append(b, "Set-Cookie: "...)
	b = append(b, s.name...)
	b = append(b, '=')
	b = append(b, p.Cookie...)
	return append(b, s.suffix...)
}
