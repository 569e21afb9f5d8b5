// Package tunnel passes bytes both ways between a client and a process, once the
// connection speaks another protocol than HTTP or the app writes its answer itself.
//
// It reads the lists of protocols in Upgrade fields, and follows the frames of
// WebSockets, so that one can be closed between two of them.
package tunnel

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"passenger/lib/bug"
	"passenger/lib/http1"
	"passenger/lib/proxy/wire"
)

// A Tunnel passes bytes both ways between a client and a process until both
// have ended, one of them fails, or nothing moved for too long.
//
// Once one side has ended, the other has the proxy's half-close time. That is
// all that a WebSocket gets, which is over without an answer to its closing (RFC
// 6455, 7.1.1); of another protocol, which may have a use for one direction, it
// is the longest silence from then on. An answer that the app makes itself is an
// answer still when its client has ended its sending side, and gets the app's
// read timeout.
type Tunnel struct {
	client, up *wire.Conn
	kind       Kind
	half       time.Duration // the half-close time

	bed              Bed           // nil if the client's direction never sleeps
	upOver, downOver chan struct{} // closed at the end of that direction
	lost             bool          // what the client sends goes nowhere
	severed          atomic.Bool   // both directions are to end

	mu       sync.Mutex    // guards the rest
	silence  time.Duration // how long nothing may move in either direction
	by       int64         // when that is over, in the clock's time
	writes   int           // under way
	patience time.Duration // how long the client's direction waits before it sleeps; 0 if it does not, or does
}

// whileWriting is how long nothing need be read while a write is under way, which
// has its own bound: a peer that takes little of it at a time is alive.
const whileWriting = 24 * time.Hour

// A Kind says what a tunnel carries.
type Kind uint8

const (
	RawAnswer Kind = iota
	WebSocket
	OtherProtocol
)

// KindOf is what a tunnel carries after r, a process's answer to q.
func KindOf(q *http1.Request, r *http1.Response) Kind {
	if r.Status != 101 {
		return RawAnswer
	}
	for p := range Agreed(q, r) {
		if IsWebSocket(p) {
			return WebSocket
		}
		break
	}
	return OtherProtocol
}

// New returns a tunnel between client and up, whose reads it bounds from now
// on. half is the half-close time, silence how long nothing may move.
func New(client, up *wire.Conn, kind Kind, half, silence time.Duration) *Tunnel {
	t := &Tunnel{client: client, up: up, kind: kind, half: half, silence: silence}
	t.client.UnboundRead()
	t.up.UnboundRead()
	t.moved()
	return t
}

// Run passes bytes on until the tunnel is over, and lets go of the connections.
// early is what the client sent already. What the process sends is followed in f.
func (t *Tunnel) Run(early []byte, f *Frames) {
	t.upOver, t.downOver = make(chan struct{}), make(chan struct{})
	// A descriptor tells of all that is unread. TLS may have read ahead, of which
	// the kernel wakes nobody.
	if len(early) > 0 || t.client.Socket() == nil || !t.sleep() {
		go t.runUp(early)
	}
	ended := t.passDown(f)
	close(t.downOver)
	if ended {
		t.outlast(t.up, t.upOver)
	}
	<-t.upOver
	t.close()
}

// runUp passes on what the client sends, after early, until that is over. While the
// client sleeps it has returned.
func (t *Tunnel) runUp(early []byte) {
	ended, sleeps := false, false
	defer func() {
		if !sleeps {
			close(t.upOver)
		}
	}()
	defer bug.Caught(t.cut)
	if ended, sleeps = t.passUp(early); ended {
		t.outlast(t.client, t.downOver)
	}
}

// moved starts the wait of both directions anew.
func (t *Tunnel) moved() { t.count(0) }

// count is moved when as many writes more are under way.
func (t *Tunnel) count(more int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.writes += more
	wait := t.silence
	if t.writes > 0 {
		wait = whileWriting
	}
	t.by = t.client.Clock.After(wait)
	t.up.Postpone(t.by)
	t.awaitClient()
}

// lookTime is how often a client is looked at that is not read any more.
const lookTime = time.Second

// outlast bounds what the other direction does once from has ended; over is
// closed when that one has. It watches over a client that is not read any more:
// that it is gone for good is seen only by looking.
func (t *Tunnel) outlast(from *wire.Conn, over <-chan struct{}) {
	var late <-chan time.Time
	switch {
	case t.kind == WebSocket:
		limit := time.NewTimer(t.half)
		defer limit.Stop()
		late = limit.C
	case t.kind == OtherProtocol || from == t.up:
		t.mu.Lock()
		t.silence = min(t.silence, t.half)
		t.mu.Unlock()
		t.moved()
	}
	look := time.NewTicker(lookTime)
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
func (t *Tunnel) write(to *wire.Conn, p []byte) (int, error) {
	t.count(1)
	defer t.count(-1)
	return to.WriteBoth(p, nil)
}

// cut ends both directions.
func (t *Tunnel) cut() {
	t.severed.Store(true)
	t.client.Interrupt()
	t.up.Interrupt()
	if t.bed != nil {
		t.bed.Wake()
	}
}

// close lets go of the connections, which nothing reads any more.
func (t *Tunnel) close() {
	_ = t.client.ReleaseRead() // whether it expired makes no difference to who closes it
	_ = t.up.ReleaseRead()
}

// passUp passes on what the client sends, after early, which it sent before, to
// its end: then ended is true; or until it sleeps. A failure ends both directions. But a process
// that takes no more may have said something before, which the client gets if it
// is not cut off: then what it sends is read and goes nowhere.
func (t *Tunnel) passUp(early []byte) (ended, sleeps bool) {
	put := func(p []byte) error {
		if t.lost || len(p) == 0 {
			return nil
		}
		_, err := t.write(t.up, p)
		if err != nil && !errors.Is(err, wire.ErrTimeout) {
			t.lost, err = true, nil
		}
		return err
	}
	if put(early) != nil {
		t.cut()
		return false, false
	}
	for {
		ended, quiet := t.pass(t.up, t.client, put)
		if !quiet || t.sleep() {
			return ended, quiet
		}
	}
}

// passDown passes on what the process sends to its end: then ended is true. A
// failure ends both directions. What was written is followed in f.
func (t *Tunnel) passDown(f *Frames) (ended bool) {
	ended, _ = t.pass(t.client, t.up, func(p []byte) error {
		n, err := t.write(t.client, p)
		f.wrote(p[:n], err != nil && t.client.Socket() == nil)
		return err
	})
	if ended {
		f.Lose()
	}
	return ended
}

// pass gives put what comes from one connection, and passes its end on to the
// other: then ended is true. It returns early if the client is quiet.
//
// It does not splice(2), which was measured: for messages of up to 64 kB, one at
// a time, it costs as much CPU as copying, 8 to 10 µs each, and a pipe for each
// direction; of a gigabyte at once it saves 0.2 of 0.36 seconds. But frames
// could not be followed, and TLS has none of it.
func (t *Tunnel) pass(to, from *wire.Conn, put func([]byte) error) (ended, quiet bool) {
	size := wire.Medium
	for {
		b, n, err := from.ReadLazily(size)
		if err == wire.ErrTimeout && from == t.client && t.isQuiet() {
			return false, true
		}
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
			return true, false
		default:
			t.cut()
			return false, false
		}
	}
}
