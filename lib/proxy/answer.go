package proxy

import (
	"passenger/lib/proxy/buffering"
)

// An answer is what a client gets for its request: from a process, a file, the
// cache or the proxy itself.
type answer struct {
	req *request

	status     int   // 0 as long as there is none
	sentBefore int64 // bytes that the client got on the connection before the body
	answered   bool  // it has begun
	closing    bool  // the connection ends after it
	interims   int   // 1xx responses so far

	passesChunks bool // of the process, as they come

	// reserve holds what the client has not taken yet, nil if that is nothing;
	// credit is the blocking budget of the process, and overflow makes a buffer.
	reserve  *buffering.Response
	credit   buffering.Budget
	overflow func() *buffering.Response
}

// reset makes a ready for another request.
func (a *answer) reset() {
	a.status, a.sentBefore, a.answered, a.closing, a.interims = 0, 0, false, false, 0
	a.passesChunks, a.reserve, a.credit = false, nil, 0
}
