package proxy

import (
	"errors"
	"io"
	"sync"
	"syscall"
	"time"

	"passenger/lib/bug"
	"passenger/lib/proxy/wire"
)

// switchProtocols passes a 101 on and then bytes both ways.
func (x *exchange) switchProtocols(b *wire.Buffer, n int) bool {
	if !x.req.upgrade {
		b.Free()
		x.endSession(false)
		return x.fail(502, "The application switched to another protocol although the client did not ask for it.")
	}
	if !x.req.askedForAll(upgrades(&x.session.resp.Head)) {
		b.Free()
		x.endSession(false)
		return x.fail(502, "The application switched to another protocol than the client asked for.")
	}
	out := wire.TakeBuffer(x.session.resp.Len + 256)
	head := x.session.appendFields(x.session.appendStatus(out.B[:0]))
	head = append(head, "Connection: Upgrade\r\nUpgrade: "...)
	head = appendList(head, x.session.upgradedTo())
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
// in b, and then passes bytes on both ways for as long as the tunnel lasts. It
// frees the buffers.
func (x *exchange) tunnel(out *wire.Buffer, head []byte, b *wire.Buffer, n int) bool {
	x.session.phase.Store(upgraded)
	x.answer.answered, x.answer.closing = true, true
	c := x.client
	x.answer.begin(x.session.resp.Status, len(head))
	var sent frames
	x.session.followFrames(&sent)
	sent.follow(b.B[x.session.resp.Len:n])
	_, err := c.WriteBoth(head, b.B[x.session.resp.Len:n])
	out.Free()
	b.Free()
	if err != nil {
		x.endSession(false)
		return false
	}
	t := newTunnel(x)
	if x.session.resp.Status == 101 {
		x.req.mount.app.balance.Enter(x.session.process, &x.session, x.client.proxy.parting.Load())
	}
	done, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		defer bug.Caught(t.cut)
		early := x.req.in.B[x.req.start:x.req.end]
		x.req.start = x.req.end
		if t.passUp(early) {
			t.outlast(t.client, over)
		}
	}()
	ended := t.passDown(&sent)
	close(over)
	if ended {
		t.outlast(t.up, done)
	}
	<-done
	t.close()
	if x.session.resp.Status == 101 {
		x.req.mount.app.balance.Exit(x.session.process, &x.session, x.session.takeover != nil)
		x.farewell(&sent)
	}
	x.endSession(false)
	return false
}

// A tunnel passes bytes both ways between a client and a process until both
// have ended, one of them fails, or nothing moved for too long.
//
// Once one side has ended, the other has the proxy's half-close time. That is
// all that a WebSocket gets, which is over without an answer to its closing (RFC
// 6455, 7.1.1); of another protocol, which may have a use for one direction, it
// is the longest silence from then on. An answer that the app makes itself is an
// answer still when its client has ended its sending side, and gets the app's
// read timeout.
type tunnel struct {
	client, up *wire.Conn
	kind       tunnelKind
	half       time.Duration // the half-close time

	mu      sync.Mutex    // guards the rest
	silence time.Duration // how long nothing may move in either direction
	writes  int           // under way
}

// whileWriting is how long nothing need be read while a write is under way, which
// has its own bound: a peer that takes little of it at a time is alive.
const whileWriting = 24 * time.Hour

type tunnelKind uint8

const (
	rawAnswer tunnelKind = iota
	webSocket
	otherProtocol
)

// newTunnel returns a tunnel for the connections of x, whose reads it bounds
// from now on.
func newTunnel(x *exchange) *tunnel {
	t := &tunnel{client: &x.client.Conn, up: &x.session.up.Conn, half: x.client.proxy.Timeouts.HalfClose, silence: x.req.mount.readTimeout}
	switch {
	case x.session.isWebSocket():
		t.kind = webSocket
	case x.session.resp.Status == 101:
		t.kind = otherProtocol
	}
	t.client.UnboundRead()
	t.up.UnboundRead()
	t.moved()
	return t
}

// moved starts the wait of both directions anew.
func (t *tunnel) moved() { t.count(0) }

// count is moved when as many writes more are under way.
func (t *tunnel) count(more int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.writes += more
	wait := t.silence
	if t.writes > 0 {
		wait = whileWriting
	}
	by := t.client.Clock.After(wait)
	t.client.Postpone(by)
	t.up.Postpone(by)
}

// outlast bounds what the other direction does once from has ended; over is
// closed when that one has. It watches over a client that is not read any more:
// that it is gone for good is seen only by looking.
func (t *tunnel) outlast(from *wire.Conn, over <-chan struct{}) {
	var late <-chan time.Time
	switch {
	case t.kind == webSocket:
		limit := time.NewTimer(t.half)
		defer limit.Stop()
		late = limit.C
	case t.kind == otherProtocol || from == t.up:
		t.mu.Lock()
		t.silence = min(t.silence, t.half)
		t.mu.Unlock()
		t.moved()
	}
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-over:
			return
		case <-late:
			t.cut()
			return
		case <-look.C:
			if _, broken := t.client.Gone(); broken && from == t.client {
				t.cut()
				return
			}
		}
	}
}

// write writes p. Silence is counted from its end.
func (t *tunnel) write(to *wire.Conn, p []byte) (int, error) {
	t.count(1)
	defer t.count(-1)
	return to.WriteBoth(p, nil)
}

// cut ends both directions.
func (t *tunnel) cut() {
	t.client.Interrupt()
	t.up.Interrupt()
}

// close lets go of the connections, which nothing reads any more.
func (t *tunnel) close() {
	_ = t.client.ReleaseRead() // whether it expired makes no difference to who closes it
	_ = t.up.ReleaseRead()
}

// passUp passes on what the client sends, after early, which it sent before, to
// its end: then ended is true. A failure ends both directions. But a process
// that takes no more may have said something before, which the client gets if it
// is not cut off: then what it sends is read and goes nowhere.
func (t *tunnel) passUp(early []byte) (ended bool) {
	lost := false
	put := func(p []byte) error {
		if lost || len(p) == 0 {
			return nil
		}
		_, err := t.write(t.up, p)
		if err != nil && !errors.Is(err, wire.ErrTimeout) {
			lost, err = true, nil
		}
		return err
	}
	if put(early) != nil {
		t.cut()
		return false
	}
	return t.pass(t.up, t.client, put)
}

// passDown passes on what the process sends to its end: then ended is true. A
// failure ends both directions. What was written is followed in f.
func (t *tunnel) passDown(f *frames) (ended bool) {
	ended = t.pass(t.client, t.up, func(p []byte) error {
		n, err := t.write(t.client, p)
		f.wrote(p[:n], err != nil && t.client.Socket() == nil)
		return err
	})
	if ended {
		f.lose()
	}
	return ended
}

// pass gives put what comes from one connection, and passes its end on to the
// other.
//
// It does not splice(2), which was measured: for messages of up to 64 kB, one at
// a time, it costs as much CPU as copying, 8 to 10 µs each, and a pipe for each
// direction; of a gigabyte at once it saves 0.2 of 0.36 seconds. But frames
// could not be followed, and TLS has none of it.
func (t *tunnel) pass(to, from *wire.Conn, put func([]byte) error) (ended bool) {
	size := wire.Medium
	for {
		b, n, err := from.ReadLazily(size)
		if err == nil {
			if size = wire.Medium; n == len(b.B) {
				size = wire.Large // there is more to come
			}
			err = put(b.B[:n])
			b.Free()
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF), from == t.up && errors.Is(err, syscall.ECONNRESET):
			// A process that closes without having read everything resets the
			// connection behind its last words.
			to.CloseWrite()
			return true
		default:
			t.cut()
			return false
		}
	}
}
