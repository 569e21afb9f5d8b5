package control

import (
	"fmt"
	"net/url"
	"strings"

	"passenger/lib/protocol"
)

// route finds the call that a request makes, and keeps what its path names. HEAD
// is answered as GET is. nil means that there is no such call.
func (s *Server) route(r *Request) *Call {
	method := r.Method
	if method == "HEAD" {
		method = "GET"
	}
	for i := range s.table {
		c := &s.table[i]
		if c.Method != method {
			continue
		}
		if names, ok := namesIn(c.Path, r.URL.EscapedPath()); ok {
			r.names = names
			return c
		}
	}
	return nil
}

// namesIn compares a path, as it was sent, with that of a call, and returns what
// it has in the places of {name}.
func namesIn(pattern, path string) (names map[string]string, ok bool) {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return nil, false
	}
	for i, part := range want {
		if !strings.HasPrefix(part, "{") {
			if part != got[i] {
				return nil, false
			}
			continue
		}
		value, err := url.PathUnescape(got[i])
		if err != nil || value == "" {
			return nil, false
		}
		if names == nil {
			names = map[string]string{}
		}
		names[strings.Trim(part, "{}")] = value
	}
	return names, true
}

func unknown(r *Request) error {
	return &protocol.Error{
		Code:    protocol.CodeUnknownRequest,
		Message: fmt.Sprintf("unknown request %s %q", r.Method, r.URL.Path),
		Hint:    "passenger-protocol(7) lists the calls",
	}
}
