package proxy

import (
	"errors"
	"io"
	"log/slog"
	"syscall"
	"time"

	"passenger/lib/http1"
	"passenger/lib/proxy/balance"
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
	if n > 1 && x.diskSpent() {
		return x.awaitRoom(x.client.Clock.Now.Load(), errDiskSpent)
	}
	if x.process == nil {
		if err := x.acquire(n > 1); err != nil {
			return false, x.noProcess(err)
		}
	}
	if x.diskSpent() {
		if x.up != nil {
			x.up.Close()
			x.up = nil
		}
		return x.connectFailed(errDiskSpent, n)
	}
	if x.up == nil {
		x.phase.Store(connecting)
		if err := x.connect(); err != nil {
			return x.connectFailed(err, n)
		}
	}
	x.phase.Store(waiting)
	sent, err := x.send()
	if err != nil && sent == 0 && n < maxAttempts {
		// Not a byte left us, so no process can have acted on it.
		x.dropSession()
		return true, false
	}
	b, n1, err := x.readResponse()
	if err != nil {
		return x.noResponse(err, n)
	}
	return false, x.answer(b, n1)
}

// acquire gets a process and a connection to it, if one is idle and open.
func (x *exchange) acquire(retried bool) error {
	p, a := x.client.proxy, x.mount.app.balance
	x.phase.Store(queued)
	if !retried {
		x.waiter.Since, x.waiter.Began = p.clock.After(0), time.Time{}
		x.waiter.Wanted, x.waiter.Upgrade = nil, x.upgrade
		x.beginProbe()
		if x.mount.sticky.name != nil {
			x.waiter.Wanted = x.mount.sticky.wanted(&x.req)
		}
	}
	x.waiter.Alone = x.suspect
	proc, up, err := a.Acquire(&x.waiter, retried)
	if err != nil {
		return err
	}
	if !x.waiter.Began.IsZero() {
		before := x.waited
		x.waited = time.Since(x.waiter.Began)
		a.CountWait(before, x.waited)
	}
	x.process, x.granted = proc, p.clock.Now.Load()
	x.target.Store(proc)
	for up != nil && !up.Quiet() {
		up.Close()
		up = a.Another(proc)
	}
	x.up = up
	return nil
}

// beginProbe prepares to find out whether the client is there. A web server in
// front that speaks HTTP/1.0 over TCP, as nginx does unless told otherwise, never
// ends its sending side alone.
func (x *exchange) beginProbe() {
	old := x.req.Minor == 0
	x.waiter.Probe.Begin(old, old && x.client.trusted && x.client.addr != "")
}

func (x *exchange) connect() (err error) {
	x.up, err = x.client.proxy.dialer.Dial(x.process)
	return err
}

// refusedFor is how long a process that refused a connection is left alone;
// the pool will have learned of its end by then.
const refusedFor = time.Second

// descriptorTime is how long a request waits for a descriptor.
const descriptorTime = time.Second

func (x *exchange) connectFailed(err error, n int) (retry, again bool) {
	p, a := x.client.proxy, x.mount.app.balance
	now := p.clock.Now.Load()
	full := err == balance.ErrFull || err == balance.ErrNoDescriptor || err == errDiskSpent
	a.Cancel(x.process, !full, now+int64(refusedFor))
	x.process = nil
	if full {
		return x.awaitRoom(now, err)
	}
	x.fault("process refused a connection", err)
	if n < maxAttempts {
		return true, false
	}
	return false, x.fail(502, "No process of the application accepted the request.")
}

// awaitRoom waits a little, for as long as the request may wait in the queue, or
// for descriptorTime if it is descriptors that lack. It is now.
func (x *exchange) awaitRoom(now int64, why error) (retry, again bool) {
	if x.waiter.Probe.Look(now) {
		return false, x.noProcess(balance.ErrGone)
	}
	p, waits := x.client.proxy, time.Duration(now-x.waiter.Since)
	switch {
	case why == balance.ErrNoDescriptor:
		p.makeRoom()
		if p.descriptors.lacking.Due() {
			slog.Error("could not connect to a process; requests wait, and get status 503 in the end", "err", why, "hint", "raise the limit of open files")
		}
		if waits > descriptorTime {
			return false, x.fail(503, "The server has too many connections.")
		}
	case waits > x.mount.queueTime && why == errDiskSpent:
		return false, x.fail(503, "Earlier answers on this connection were not taken.")
	case waits > x.mount.queueTime:
		return false, x.fail(504, "The application did not take the request in time.")
	}
	time.Sleep(balance.FullPause)
	return true, false
}

// noResponse handles a connection that ended before a response began.
func (x *exchange) noResponse(err error, n int) (retry, again bool) {
	if !x.begun && n < maxAttempts && x.repeatable() && x.mayRepeat(err) {
		x.retreat()
		return true, false
	}
	x.stopUpload()
	broken := x.upload.clientError()
	switch {
	case broken != nil, errors.Is(err, balance.ErrGone), errors.Is(err, errStopping):
	case errors.Is(err, wire.ErrTimeout) && !x.begun && x.mount.requestTime > 0:
		x.verdict = balance.Stuck
	default:
		x.verdict = balance.Failed
	}
	x.unanswered(err)
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
// request that brought the process down: it gets one more, not all of them, and
// for itself. On a new connection it is the latter, if the process had no other
// request.
func (x *exchange) mayRepeat(err error) bool {
	reset := errors.Is(err, syscall.ECONNRESET)
	switch {
	case reset && x.process.Local() && x.body == noBody:
		return true
	case !reset && !errors.Is(err, io.EOF), x.repeated,
		!x.up.Reused && !x.mount.app.balance.Crowded(x.process):
		return false
	}
	x.repeated = true
	x.suspect = x.client.proxy.clock.Now.Load()-x.granted < int64(balance.AloneTime)
	return true
}

// retreat prepares another attempt. A process closes its socket before its
// connections when it ends: one that takes a new connection has only given this
// one up, so it gets the request again, whoever else it has.
func (x *exchange) retreat() {
	if !x.suspect || !x.up.Reused || !x.mount.app.balance.Lives(x.process) {
		x.dropSession()
		return
	}
	x.up.Close()
	x.up = nil
	x.upload.abandon()
}

// dropSession undoes acquire and connect, as if the session had never been.
func (x *exchange) dropSession() {
	p, up := x.process, x.up
	x.process, x.up = nil, nil
	up.Close()
	x.upload.abandon()
	x.mount.app.balance.Cancel(p, false, 0)
}

// endSession gives the process back, with its connection if that can carry
// another request.
func (x *exchange) endSession(reusable bool) {
	if x.up != nil && !reusable {
		x.stopUpload()
		x.up.Close()
		x.up = nil
	}
	if x.takeover != nil {
		x.mount.app.balance.EndTakeover(x.takeover)
		x.takeover = nil
	}
	p, up := x.process, x.up
	x.process, x.up = nil, nil
	if x.verdict == balance.Fine && x.resp.Status >= 500 {
		x.verdict = balance.Failed
	}
	if x.workAsked {
		x.workAsked = false
		x.mount.app.balance.AskWork(p)
	}
	now := x.client.proxy.clock.Now.Load()
	x.mount.app.balance.Release(p, up, now, now-x.granted, x.verdict)
}
