package proxy

import (
	"slices"

	"passenger/lib/protocol"
)

// An app may want to answer Expect: 100-continue itself, so that it can refuse a
// body before it is sent. Then its process gets the field and the head without
// the body, whatever its size, and the client gets the 100 that the process
// sends. The time that clients have for their bodies runs meanwhile.

// passesExpect says whether an app's processes are to get the field.
func passesExpect(r *protocol.Route) bool {
	return r.PassExpect && !slices.ContainsFunc(r.Processes, func(p protocol.RouteProcess) bool {
		return p.DataProtocol == protocol.ProtocolSession
	})
}

// leavesContinue says whether the process is the one to tell the client to send
// its body. One that sent some of it does not wait.
func (r *requestBody) leavesContinue() bool {
	return r.req.mount.passesExpect && r.req.Continue && !r.req.continued && r.req.end == r.req.Len
}

// continues passes on that the process wants the body.
func (r *requestBody) continues() error {
	if !r.asked {
		return nil // the client was told by us
	}
	r.asked = false
	return r.req.sendContinue()
}

var continueLine = []byte("HTTP/1.1 100 Continue\r\n\r\n")

// sendContinue tells a client that waits for it to send its body.
func (q *request) sendContinue() error {
	if !q.Continue || q.continued || q.end > q.Len {
		return nil
	}
	q.continued = true
	_, err := q.client.WriteBoth(continueLine, nil)
	return err
}
