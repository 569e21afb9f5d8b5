package balance

import (
	"fmt"

	"passenger/lib/http1"
	"passenger/lib/protocol"
)

// What a route that leaves them out means.
const (
	stickyCookie     = "_passenger_route"
	stickyAttributes = "SameSite=Lax; Secure;"
)

// A Sticky says how an app's clients come back to the process that served them.
type Sticky struct {
	Name   []byte // of the cookie; nil if clients go anywhere
	suffix []byte // of the Set-Cookie line
}

// NewSticky returns how clients of an app at base, without a slash at its end, find
// their process.
func NewSticky(r *protocol.Route, base string) Sticky {
	if !r.StickySessions {
		return Sticky{}
	}
	name, attributes := r.StickyCookie, r.StickyAttributes
	if name == "" {
		name = stickyCookie
	}
	if attributes == "" {
		attributes = stickyAttributes
	}
	if base == "" {
		base = "/"
	}
	return Sticky{[]byte(name), fmt.Appendf(nil, "; Path=%s; %s\r\n", base, attributes)}
}

// Wanted returns the process ID in r's cookie, nil if there is none.
func (s *Sticky) Wanted(r *http1.Request) []byte {
	return r.Cookie(s.Name)
}

// AppendTo appends the line that sends the client to p again.
func (s *Sticky) AppendTo(b []byte, p *Process) []byte { return s.appendLine(b, p.Cookie) }

func (s *Sticky) appendLine(b []byte, value string) []byte {
	b = append(b, "Set-Cookie: "...)
	b = append(b, s.Name...)
	b = append(b, '=')
	b = append(b, value...)
	return append(b, s.suffix...)
}
