package proxy

import (
	"passenger/lib/http1"
	"passenger/lib/proxy/phase"
	"passenger/lib/proxy/tunnel"
	"passenger/lib/proxy/wire"
)

// switchProtocols passes a 101 on and then bytes both ways.
func (x *exchange) switchProtocols(b *wire.Buffer, n int) bool {
	if !x.req.upgrade {
		b.Free()
		x.endSession(false)
		return x.fail(502, "The application switched to another protocol although the client did not ask for it.")
	}
	if !tunnel.WantedAll(&x.req.Request, tunnel.Upgrades(&x.session.resp.Head)) {
		b.Free()
		x.endSession(false)
		return x.fail(502, "The application switched to another protocol than the client asked for.")
	}
	out := wire.TakeBuffer(x.session.resp.Len + 256)
	head := x.session.appendFields(x.session.appendStatus(out.B[:0]))
	head = append(head, "Connection: Upgrade\r\nUpgrade: "...)
	head = http1.AppendList(head, tunnel.Agreed(&x.req.Request, &x.session.resp))
	head = append(head, "\r\n\r\n"...)
	return x.tunnel(out, head, b, n)
}

// passRaw passes on a response that the app made itself on a connection that
// it took over. What the client sends from now on is the app's.
func (x *exchange) passRaw(b *wire.Buffer, n int) bool {
	x.answer.closing = true
	out := wire.TakeBuffer(x.session.resp.Len + 256)
	return x.tunnel(out, x.appendResponse(out.B[:0], 0), b, n)
}

// tunnel writes head, which lies in out, and what follows the response's head
// in b; pass passes on what comes then. It frees the buffers.
func (x *exchange) tunnel(out *wire.Buffer, head []byte, b *wire.Buffer, n int) bool {
	x.session.phase.On(phase.Upgrades)
	x.answer.answered, x.answer.closing = true, true
	c := x.client
	x.answer.begin(x.session.resp.Status, len(head))
	var sent tunnel.Frames
	x.session.followFrames(&sent)
	sent.Follow(b.B[x.session.resp.Len:n])
	kind := tunnel.KindOf(&x.req.Request, &x.session.resp) // before the head's buffer is freed
	_, err := c.WriteBoth(head, b.B[x.session.resp.Len:n])
	out.Free()
	b.Free()
	if err != nil {
		x.endSession(false)
		return false
	}
	t := tunnel.New(&c.Conn, &x.session.up.Conn, kind, c.proxy.Timeouts.HalfClose, x.req.mount.readTimeout)
	t.SleepIn(c, c.proxy.idlePatience)
	if x.session.resp.Status == 101 {
		x.req.mount.app.balance.Enter(x.session.process, &x.session, c.proxy.parting.Load())
	}
	x.passes = passage{t, sent}
	return false
}

// A passage is a tunnel that is to be run once the stack has little on it: it may
// last for days, and a stack does not shrink below what is on it.
type passage struct {
	*tunnel.Tunnel // nil if there is none
	sent           tunnel.Frames
}

// pass passes bytes on both ways for as long as the tunnel lasts.
func (x *exchange) pass() {
	early := x.req.in.B[x.req.start:x.req.end]
	x.req.start = x.req.end
	if len(early) == 0 {
		x.client.fit(&x.req, (*wire.Buffer).Fitted)
	}
	x.client.proxy.crowd.Join()
	x.passes.Run(early, &x.passes.sent)
	if x.session.resp.Status == 101 {
		x.req.mount.app.balance.Exit(x.session.process, &x.session, x.session.takeover != nil)
		if x.session.dismissed.Load() {
			tunnel.Farewell(&x.client.Conn, &x.passes.sent)
		}
	}
	x.passes = passage{}
	x.endSession(false)
}
