package proxy

import (
	"errors"
	"io"

	"passenger/lib/compress"
	"passenger/lib/http1"
	"passenger/lib/proxy/fronted"
	"passenger/lib/proxy/phase"
	"passenger/lib/proxy/wire"
)

// forward passes the response on whose head is in b, which it frees, followed
// by the first of its body, n bytes in all. It says whether the client's
// connection can go on.
func (x *exchange) forward(b *wire.Buffer, n int) bool {
	if x.session.resp.Status == 101 {
		return x.switchProtocols(b, n)
	}
	d := x.session.resp.Extent(string(x.req.Method) == "HEAD", &x.session.respChunks)
	if d.Kind == http1.UntilClose && (x.session.process.Session || x.session.takeover != nil) && !x.body.upload.running {
		return x.passRaw(b, n)
	}
	if !x.session.resp.KeepAlive && x.session.takeover == nil {
		x.req.mount.app.balance.Forgo(x.session.process, false) // it reads no further
	}
	framing, old := d.Kind, x.req.Minor == 0 || x.client.headers.Flagged(fronted.Dechunk)
	if x.session.plan.Coding != compress.Plain && d.Kind != http1.NoBody {
		x.session.takeEncoder(!old)
	}
	if packs := x.session.encoder != nil; packs || d.Kind == http1.ChunkedEnd {
		x.session.respChunks.Reset()
		if framing = http1.ChunkedEnd; old {
			framing = http1.UntilClose
		}
		d.Decode = old || packs
		x.answer.passesChunks = !d.Decode
	}
	if x.lookup != nil && d.Decode {
		x.lookup.Decoded()
	}
	if framing == http1.UntilClose || (x.session.resp.Status >= 300 || !x.session.resp.KeepAlive) && x.body.upload.unfinished() {
		x.answer.closing = true
	}
	x.session.phase.On(phase.Answers)
	x.session.waiter.Probe.AnswerBegins()
	out := wire.TakeBuffer(x.session.resp.Len + 256)
	head := x.appendResponse(out.B[:0], framing)
	x.answer.begin(x.session.resp.Status, len(head))
	ok := x.forwardBody(&d, b, n, head)
	x.session.freeEncoder()
	out.Free()
	if !ok {
		return x.cutOff(framing)
	}
	return x.finish()
}

// forwardBody delivers head and body to the client. The process is given back
// before the last of it, so that it need not wait for the client; unless it
// still takes the request, for which the client need not wait.
func (x *exchange) forwardBody(d *http1.Extent, b *wire.Buffer, n int, head []byte) (ok bool) {
	from := x.session.resp.Len
	for {
		part, ended, err := d.Measure(b.B[from:n])
		if err != nil {
			b.Free()
			x.brokenOff(err)
			return false
		}
		clean := ended && x.session.clean(b.B[n-d.Surplus:n])
		if x.lookup != nil {
			x.lookup.Add(part, ended)
		}
		if x.session.encoder != nil {
			if part, err = x.session.packPart(part, b, ended); err != nil {
				b.Free()
				x.brokenOff(err)
				return false
			}
		}
		free := ended && !x.body.upload.unfinished()
		if free {
			x.endExchange(clean)
		}
		x.answer.answered = true
		x.session.waiter.Probe.ChunkSent()
		err = x.answer.deliver(head, part, free)
		b.Free()
		if err == nil && ended && !free {
			x.endExchange(clean)
		}
		if err == nil && ended {
			err = x.answer.awaitBuffer()
		}
		if err != nil {
			x.answer.closing = true
			return false
		}
		if ended {
			return true
		}
		head, from = nil, 0
		if b, n, err = x.readUpstream(wire.Large); err != nil {
			if d.Kind == http1.UntilClose && errors.Is(err, io.EOF) {
				x.endExchange(false)
				return x.answer.awaitBuffer() == nil
			}
			x.brokenOff(err)
			return false
		}
	}
}

// endExchange gives the process back after a whole answer.
func (x *exchange) endExchange(clean bool) {
	whole := x.body.finishUpload(x.session.up, x.session.resp.KeepAlive)
	if !whole {
		x.answer.closing = true
	}
	clean = x.answer.buffer.Leave() && clean
	x.endSession(clean && whole && x.session.resp.KeepAlive && !x.req.upgrade && !x.session.halfClosed && x.session.takeover == nil && !x.session.partial)
}

// finish ends the exchange after the answer was written, and says whether the
// connection can go on.
func (x *exchange) finish() bool {
	if !x.answer.closing {
		return true
	}
	if x.garbled || x.body.unread() {
		x.client.linger()
	}
	return false
}

// cutOff ends an answer that cannot be completed, visibly.
func (x *exchange) cutOff(framing http1.BodyKind) bool {
	if x.session.process != nil {
		x.endSession(false)
	}
	_ = x.answer.awaitBuffer() // who left needs no end
	if !x.answer.answered {
		return x.fail(502, "The application sent an invalid response.")
	}
	x.answer.closing = true
	if framing == http1.UntilClose {
		x.client.Reset()
	}
	return false
}
