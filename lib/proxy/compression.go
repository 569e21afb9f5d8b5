package proxy

import (
	"bytes"
	"net/http"

	"passenger/lib/proxy/packing"
	"passenger/lib/proxy/wire"
)

// planPacking decides in which form the client gets the answer of the process.
func (s *session) planPacking() {
	s.plan = packing.Decide(&s.req.Request, &s.resp, s.resp.Body(string(s.req.Method) == http.MethodHead))
}

// takeEncoder takes an encoder for the body, as the plan has it. Without memory for one the
// body stays as it is.
func (s *session) takeEncoder(chunked bool) {
	if s.encoder = s.req.client.proxy.encoders.Take(s.plan.Coding, chunked); s.encoder == nil {
		s.plan.Plain()
	}
}

// freeEncoder gives the encoder back, if there is one.
func (s *session) freeEncoder() {
	s.encoder.Free()
	s.encoder = nil
}

// packPart compresses the next part of the body, which lies in b. When the process pauses all
// of it comes out. The last of it lies in b again where there is room, so that no encoder waits
// for a client that reads slowly.
func (s *session) packPart(part []byte, b *wire.Buffer, ended bool) (p []byte, err error) {
	p, err = s.encoder.Next(part, !ended && s.up.Quiet(), ended)
	if !ended || err != nil {
		return p, err
	}
	if len(p) <= len(b.B) {
		p = b.B[:copy(b.B, p)]
	} else {
		p = bytes.Clone(p)
	}
	s.freeEncoder()
	return p, nil
}

// sendNotModified answers a client that has the answer, whose head is in b, in a form that we
// made of it. Like forward it frees b.
func sendNotModified(x *exchange, b *wire.Buffer, n int) (again bool) {
	head := x.session.plan.Append(x.session.appendKept([]byte("HTTP/1.1 304 Not Modified\r\n"), true))
	x.discard(b, n)
	return x.reply(http.StatusNotModified, head, nil)
}
