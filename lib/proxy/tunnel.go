package proxy

import (
	"errors"
	"io"

	"passenger/lib/bug"
	"passenger/lib/http1"
)

// switchProtocols passes a 101 on and then bytes both ways.
func (x *exchange) switchProtocols(b *buffer, n int) bool {
	if !x.upgrade {
		b.free()
		x.endSession(false)
		return x.fail(502, "The application switched to another protocol although the client did not ask for it.")
	}
	out := takeBuffer(x.resp.Len + 256)
	head := x.appendFields(x.appendStatus(out.b[:0]))
	head = append(head, "Connection: Upgrade\r\nUpgrade: "...)
	head = append(head, x.upgradedTo()...)
	head = append(head, "\r\n\r\n"...)
	return x.tunnel(out, head, b, n)
}

// upgradedTo is the protocol that the process switched to.
func (x *exchange) upgradedTo() []byte {
	if v := x.resp.Find(http1.Upgrade); v != nil {
		return v
	}
	return x.req.Find(http1.Upgrade)
}

// passRaw passes on a response that the app made itself on a connection that
// it took over. What the client sends from now on is the app's.
func (x *exchange) passRaw(b *buffer, n int) bool {
	x.closing = true
	out := takeBuffer(x.resp.Len + 256)
	return x.tunnel(out, x.appendResponse(out.b[:0], 0), b, n)
}

// tunnel writes head, which lies in out, and what follows the response's head
// in b, and then passes bytes on both ways until both ends have closed, or
// nothing moved for the app's read timeout. It frees the buffers.
func (x *exchange) tunnel(out *buffer, head []byte, b *buffer, n int) bool {
	x.phase.Store(upgraded)
	x.answered, x.closing = true, true
	c, up := x.client, x.up
	x.begin(x.resp.Status, len(head))
	var sent frames
	x.followFrames(&sent)
	sent.follow(b.b[x.resp.Len:n])
	_, err := c.write(head, b.b[x.resp.Len:n])
	out.free()
	b.free()
	if err != nil {
		x.endSession(false)
		return false
	}
	limit := x.mount.readTimeout
	c.readWait, up.readWait = limit, limit
	if x.resp.Status == 101 {
		x.mount.app.enter(x)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer bug.Caught(func() { c.interrupt(); up.interrupt() })
		if x.start < x.end {
			_, err := up.write(x.in.b[x.start:x.end], nil)
			x.start = x.end
			if err != nil {
				c.interrupt()
				up.interrupt()
				return
			}
		}
		pass(&up.conn, &c.conn, nil)
	}()
	pass(&c.conn, &up.conn, &sent)
	<-done
	if x.resp.Status == 101 {
		x.mount.app.exit(x)
		x.farewell(&sent)
	}
	x.endSession(false)
	return false
}

// pass copies from one connection to the other until the end, which it passes
// on. Any failure ends both directions. What was written is followed in f,
// unless that is nil.
//
// It does not splice(2), which was measured: for messages of up to 64 kB, one at
// a time, it costs as much CPU as copying, 8 to 10 µs each, and a pipe for each
// direction; of a gigabyte at once it saves 0.2 of 0.36 seconds. But frames
// could not be followed, and TLS has none of it.
func pass(to, from *conn, f *frames) {
	size := medium
	for {
		b, n, err := from.readLazily(size)
		if err == nil {
			if size = medium; n == len(b.b) {
				size = large // there is more to come
			}
			n, err = to.write(b.b[:n], nil)
			f.wrote(b.b[:n], err != nil && to.raw == nil)
			b.free()
			to.extendRead()
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			to.closeWrite()
			f.wrote(nil, true)
			return
		default:
			to.interrupt()
			from.interrupt()
			return
		}
	}
}
