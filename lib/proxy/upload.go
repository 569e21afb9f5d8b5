package proxy

import (
	"errors"
	"sync/atomic"
	"time"

	"passenger/lib/bug"
	"passenger/lib/proxy/balance"
	"passenger/lib/proxy/wire"
)

// errStopped says that no process wants the rest of a body.
var errStopped = errors.New("the upload was stopped")

// An upload passes a request's body on while the answer may already come. It
// runs in a goroutine of its own.
type upload struct {
	running bool
	done    chan struct{} // closed at its end

	// stopped asks it to end.
	stopped atomic.Bool

	// read says that the body was read from the client to its end; what is
	// left is to write the last of it.
	read atomic.Bool

	// moved is when the process last took a part, in the clock's time; waits
	// says that it took all that the client sent so far, so that both wait.
	moved atomic.Int64
	waits atomic.Bool

	// Set at the end: why it failed, and whether because of the client.
	err      error
	byClient bool
}

func (u *upload) reset() {
	u.running, u.done, u.err, u.byClient = false, nil, nil, false
	u.stopped.Store(false)
	u.read.Store(false)
	u.moved.Store(0)
	u.waits.Store(false)
}

// begin starts the upload of r, whose upload u is, to up.
func (u *upload) begin(r *requestBody, up *balance.Upstream) {
	u.reset()
	u.running, u.done = true, make(chan struct{})
	done := u.done
	u.read.Store(r.plan == bufferedBody)
	if r.plan == sentBody {
		r.req.shrink()
		r.req.client.proxy.crowd.Join()
	}
	go func() {
		err, byClient := error(errBug), false
		defer func() {
			u.err, u.byClient = err, byClient
			close(done)
			if err != nil && (byClient || err == errBug) {
				// A reader of the answer would wait in vain. The connection is
				// never used again, so this hurts no other.
				up.Interrupt()
			}
		}()
		defer bug.Caught(nil)
		err, byClient = r.sendAll(up)
	}()
}

// fail says that the client went away before the upload began.
func (u *upload) fail(err error, up *balance.Upstream) {
	u.err, u.byClient = err, true
	up.Interrupt()
}

// clientError is why the client could not send its body, nil if it did or
// another thing went wrong. The upload has ended.
func (u *upload) clientError() error {
	if u.byClient {
		return u.err
	}
	return nil
}

// takesOn is how long a process that has answered may go on to take the request,
// so that the client can use its connection again.
const takesOn = time.Second

// finishUpload waits for an upload to up, which has answered, if nothing but its end
// is missing or the process goes on to take it, else stops it. whole says that the
// body was passed on.
func (r *requestBody) finishUpload(up *balance.Upstream, goesOn bool) (whole bool) {
	u := &r.upload
	if !u.running {
		return u.err == nil
	}
	if u.read.Load() || goesOn {
		t := time.NewTimer(takesOn)
		defer t.Stop()
		select {
		case <-u.done:
		case <-t.C:
		}
	}
	select {
	case <-u.done:
		u.running = false
	default:
		r.stopUpload(up)
		return false
	}
	return u.err == nil
}

// stopUpload ends an upload to up. cut says that it was under way: then the client's
// connection is good for an answer, and then for closing.
func (r *requestBody) stopUpload(up *balance.Upstream) (cut bool) {
	u := &r.upload
	if !u.running {
		return false
	}
	select {
	case <-u.done:
	default:
		u.stopped.Store(true)
		r.req.client.InterruptRead()
		up.InterruptWrite()
		<-u.done
		cut = true
	}
	u.running = false
	return cut
}

// abandon waits for an upload whose connection was closed, so that another can
// begin. A body that comes from the client is not sent twice, so the upload
// waits for nothing but that connection.
func (u *upload) abandon() {
	if u.running {
		<-u.done
		u.running = false
	}
}

// failed says that the upload has ended because of the client.
func (u *upload) failed() bool {
	if u.done == nil {
		return u.byClient
	}
	select {
	case <-u.done:
		return u.byClient
	default:
		return false
	}
}

// unfinished says that the body is not passed on yet.
func (u *upload) unfinished() bool {
	if !u.running {
		return false
	}
	select {
	case <-u.done:
		return u.err != nil
	default:
		return true
	}
}

// sendAll sends what the request buffer has of the body, and then what it does not
// have, as it comes.
func (r *requestBody) sendAll(up *balance.Upstream) (err error, byClient bool) {
	if r.buffer != nil {
		if err := r.sendBuffer(up); err != nil || !r.buffer.Begun {
			return err, false
		}
	}
	return r.passBody(func(p []byte, ended bool) error {
		u := &r.upload
		u.waits.Store(false)
		err := r.passOn(up, p, ended)
		u.moved.Store(r.req.client.Clock.Now.Load())
		u.waits.Store(!ended && err == nil)
		return err
	})
}

// passBody reads the body, or what the buffer does not have of it, and calls to
// with each part: first what is here already, behind the head or apart from it.
func (r *requestBody) passBody(to func(p []byte, ended bool) error) (err error, byClient bool) {
	c := r.req.client
	c.ReadWait = c.proxy.Timeouts.Body
	left, room := r.req.ContentLength, int64(r.req.mount.route.MaxBodySize)
	if r.buffer != nil && r.buffer.Begun {
		left -= r.buffer.Size
	} else {
		r.req.chunks.Reset()
	}
	p := r.req.in.B[r.req.start:r.req.end]
	b := r.req.rest
	if b != nil {
		p, r.req.rest = b.B[:r.req.restEnd], nil
	}
	for {
		keep, total, ended, err := r.req.measureBody(p, &left)
		if err != nil {
			b.FreeIf()
			return err, true
		}
		if room > 0 && r.req.Chunked {
			if r.req.taken += int64(keep); r.req.taken > room {
				b.FreeIf()
				return errBodyTooLong, true
			}
		}
		if ended {
			r.req.keepRest(p, total, b == nil)
			r.upload.read.Store(true)
		}
		err = to(p[:keep], ended)
		b.FreeIf()
		if err != nil || ended {
			return err, false
		}
		if r.upload.stopped.Load() {
			return errStopped, false
		}
		n := 0
		if b, n, err = c.ReadLazily(wire.Large); err != nil {
			if r.upload.stopped.Load() {
				return errStopped, false
			}
			return err, true
		}
		p = b.B[:n]
	}
}

var crlf = []byte("\r\n")

// passOn writes a part of the body. Of a chunked one's trailer a process that
// speaks HTTP gets what a proxy knows nothing of; the others know no trailer.
func (r *requestBody) passOn(up *balance.Upstream, p []byte, ended bool) error {
	var end []byte
	if ended && r.req.Chunked {
		if end = crlf; !r.session && len(r.req.chunks.Trailer()) > 0 {
			end = append(r.req.chunks.Trailer(), crlf...)
		}
	}
	if len(p)+len(end) == 0 {
		return nil
	}
	_, err := up.WriteBoth(p, end)
	return err
}
