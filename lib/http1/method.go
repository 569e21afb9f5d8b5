package http1

// Safe says that the method only reads (RFC 9110, section 9.2.1): an answer that the
// client does not wait for is lost without harm.
func (r *Request) Safe() bool {
	switch string(r.Method) {
	case "GET", "HEAD", "OPTIONS", "TRACE":
		return true
	}
	return false
}

// Idempotent says that the request may come twice and do no more than once: RFC 9110,
// section 9.2.2.
func (r *Request) Idempotent() bool {
	switch string(r.Method) {
	case "PUT", "DELETE":
		return true
	}
	return r.Safe()
}
