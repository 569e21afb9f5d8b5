package proxy

import (
	"errors"
	"io"
	"log/slog"
	"syscall"
	"time"

	"passenger/lib/http1"
	"passenger/lib/proxy/balance"
	"passenger/lib/proxy/phase"
	"passenger/lib/proxy/wire"
)

// maxAttempts bounds how many processes a request is tried on.
const maxAttempts = 10

// attempts tries the request on processes until one has answered it, or none
// will.
func (x *exchange) attempts() (again bool) {
	for attempt := 1; ; attempt++ {
		retry, again := x.attempt(attempt)
		if !retry {
			return again
		}
	}
}

// attempt tries the request on one process. retry says that nothing was lost
// and another attempt may be made.
func (x *exchange) attempt(n int) (retry, again bool) {
	if n > 1 && x.body.diskSpent() {
		return x.awaitRoom(x.client.Clock.Now.Load(), errDiskSpent)
	}
	if x.session.process == nil {
		switch err := x.session.acquire(n > 1); err {
		case nil:
		case balance.ErrCutOff:
			x.session.try = secondTry
			return true, false
		default:
			return false, x.noProcess(err)
		}
	}
	if x.session.waiter.Went {
		x.session.waiter.Went = false
		x.req.span.Sends()
		x.session.phase.On(phase.Sends)
	} else if tried, retry, again := x.reach(n); tried {
		return retry, again
	}
	b, n1, err := x.readResponse()
	if err != nil {
		return x.noResponse(err, n)
	}
	return false, x.passAnswer(b, n1)
}

// reach connects to the process and sends the request, unless tried says that it
// could not.
func (x *exchange) reach(n int) (tried, retry, again bool) {
	if x.body.diskSpent() {
		if x.session.up != nil {
			x.session.up.Close()
			x.session.up = nil
		}
		retry, again = x.connectFailed(errDiskSpent, n)
		return true, retry, again
	}
	if x.session.up == nil {
		x.session.phase.On(phase.Connects)
		if err := x.session.connect(); err != nil {
			retry, again = x.connectFailed(err, n)
			return true, retry, again
		}
	}
	x.session.phase.On(phase.Sends)
	sent, err := x.send()
	if err != nil && sent == 0 && n < maxAttempts {
		// Not a byte left us, so no process can have acted on it.
		x.dropSession()
		return true, true, false
	}
	return false, false, false
}

// refusedFor is how long a process that refused a connection is left alone;
// the pool will have learned of its end by then.
const refusedFor = time.Second

// descriptorTime is how long a request waits for a descriptor.
const descriptorTime = time.Second

// send sends the request to the process: all of it, or its head, when the body
// follows by itself. sent is how many bytes of it got away.
func (x *exchange) send() (sent int, err error) {
	x.req.span.Sends()
	out := wire.TakeBuffer(x.req.Len + 1<<10)
	defer out.Free()
	head := x.session.appendHead(out.B[:0], x.session.process, x.body.asked)
	x.body.session = x.session.process.Session
	switch x.body.plan {
	case heldBody:
		sent, err = x.ask(head, x.req.in.B[x.req.Len:x.req.start])
	case sentBody:
		if sent, err = x.session.up.WriteBoth(head, nil); err != nil {
			return sent, err
		}
		if x.body.asked && x.session.process.Session {
			x.body.asked = false // it cannot tell
		}
		if !x.body.asked {
			err = x.req.sendContinue()
		}
		if err != nil {
			x.body.upload.fail(err, x.session.up)
			return sent, err
		}
		x.body.upload.begin(&x.body, x.session.up)
	case bufferedBody:
		if sent, err = x.session.up.WriteBoth(head, nil); err == nil {
			x.body.upload.begin(&x.body, x.session.up)
		}
	default:
		sent, err = x.ask(head, nil)
	}
	return sent, err
}

// ask sends a request that is whole, and waits for the answer as readUpstream
// does, but for the first time only.
func (x *exchange) ask(head, body []byte) (sent int, err error) {
	x.session.up.ReadWait = min(x.session.answerTime(), lookEvery)
	var whole func()
	if x.session.invites(x.session.process) {
		whole = x.session.sent
	}
	sent, x.session.late, err = x.session.up.Ask(head, body, whole)
	return sent, err
}

func (x *exchange) connectFailed(err error, n int) (retry, again bool) {
	p, a := x.client.proxy, x.req.mount.app.balance
	now := p.clock.Now.Load()
	full := err == balance.ErrFull || err == balance.ErrNoDescriptor || err == errDiskSpent
	a.Cancel(x.session.process, !full, now+int64(refusedFor))
	x.session.process = nil
	if full {
		return x.awaitRoom(now, err)
	}
	x.session.fault("process refused a connection", err)
	if n < maxAttempts {
		return true, false
	}
	return false, x.fail(502, "No process of the application accepted the request.")
}

// awaitRoom waits a little for what is short, why. It gives up when the request has
// waited as long as it may in the queue, or for descriptorTime if descriptors are
// short. now is the clock's time.
func (x *exchange) awaitRoom(now int64, why error) (retry, again bool) {
	if x.session.waiter.Probe.Look(now) {
		return false, x.noProcess(balance.ErrGone)
	}
	p, waits := x.client.proxy, time.Duration(now-x.session.waiter.Since)
	switch {
	case why == balance.ErrNoDescriptor:
		p.makeRoom()
		if p.descriptors.Lacking.Due() {
			slog.Error("could not connect to a process; requests wait, and get status 503 in the end", "err", why, "hint", "raise the limit of open files")
		}
		if waits > descriptorTime {
			return false, x.fail(503, "The server has too many connections.")
		}
	case waits > x.req.mount.queueTime && why == errDiskSpent:
		return false, x.fail(503, "Earlier answers on this connection were not taken.")
	case waits > x.req.mount.queueTime:
		return false, x.fail(504, "The application did not take the request in time.")
	}
	time.Sleep(balance.FullPause)
	return true, false
}

// noResponse handles a connection that ended before a response began.
func (x *exchange) noResponse(err error, n int) (retry, again bool) {
	if !x.session.phase.Begun() && n < maxAttempts && x.body.repeatable() && x.mayRepeat(err) {
		x.retreat()
		return true, false
	}
	x.stopUpload()
	broken := x.body.upload.clientError()
	switch {
	case broken != nil, errors.Is(err, balance.ErrGone), errors.Is(err, errStopping):
	case errors.Is(err, wire.ErrTimeout) && !x.session.phase.Begun() && x.req.mount.requestTime > 0:
		x.session.verdict = balance.Stuck
	default:
		x.session.verdict = balance.Failed
	}
	x.session.unanswered(err)
	x.endSession(false)
	if broken != nil {
		return false, x.refuse(broken)
	}
	var bad *http1.Error
	switch {
	case errors.Is(err, balance.ErrGone):
		return false, false
	case errors.Is(err, errStopping):
		return false, x.fail(503, "The server went away before the application answered.")
	case errors.Is(err, wire.ErrTimeout):
		return false, x.fail(504, "The application did not answer in time.")
	case errors.As(err, &bad):
		return false, x.fail(502, "The application sent an invalid response ("+bad.Reason+").")
	}
	return false, x.fail(502, "The application closed the connection without an answer.")
}

// mayRepeat says that a request which may be sent twice, and had no answer
// because of err, may go to another process.
//
// A unix socket whose process ends with something unread is reset, so that who
// reset it has not acted on the request. One that is closed after all was read
// is either a kept connection that the process gave up in that moment, or a
// request that brought the process down, as where the one that followed it was
// unread: it gets one more, not all of them, and
// for itself. On a new connection it is the latter, if the process had no other
// request.
func (x *exchange) mayRepeat(err error) bool {
	reset := errors.Is(err, syscall.ECONNRESET)
	switch {
	case reset && !x.req.mount.app.balance.Followed(x.session.process) && x.session.process.Local() && x.body.plan == noBody:
		return true
	case !reset && !errors.Is(err, io.EOF), x.session.try != firstTry,
		!x.session.up.Reused && !x.req.mount.app.balance.Crowded(x.session.process):
		return false
	}
	x.session.try = secondTry
	if x.client.proxy.clock.Now.Load()-x.session.granted < int64(balance.AloneTime) {
		x.session.try = loneTry
	}
	return true
}

// retreat prepares another attempt. A process closes its socket before its
// connections when it ends: one that takes a new connection has only given this
// one up, so it gets the request again, beside the others that it has.
func (x *exchange) retreat() {
	if x.session.try != loneTry || !x.session.up.Reused || !x.req.mount.app.balance.Lives(x.session.process) {
		x.dropSession()
		return
	}
	x.req.mount.app.balance.Anew(x.session.process)
	x.session.up.Close()
	x.session.up = nil
	x.body.upload.abandon()
}

// dropSession undoes acquire and connect, as if the session had never been.
func (x *exchange) dropSession() {
	p, up := x.session.process, x.session.up
	x.session.process, x.session.up = nil, nil
	up.Close()
	x.body.upload.abandon()
	x.req.mount.app.balance.Cancel(p, false, 0)
}

// stopUpload ends the passing on of the body.
func (x *exchange) stopUpload() {
	if x.body.stopUpload(x.session.up) {
		x.answer.closing = true
	}
}
