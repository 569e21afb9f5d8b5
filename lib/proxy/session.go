package proxy

import (
	"sync/atomic"
	"time"

	"passenger/lib/compress"
	"passenger/lib/http1"
	"passenger/lib/proxy/balance"
	"passenger/lib/proxy/packing"
	"passenger/lib/proxy/phase"
	"passenger/lib/proxy/tunnel"
)

// A session is a request's time on a process, with the wait before: which process
// it has, over which connection, and what that answered. A request that is tried
// again has another.
type session struct {
	req *request

	waiter  balance.Waiter
	waited  time.Duration // in the queue
	process *balance.Process
	up      *balance.Upstream
	granted int64 // when it began, in the clock's time
	phase   phase.Cell
	try     try
	target  atomic.Pointer[balance.Process] // process, for the control socket

	resp       http1.Response
	respChunks http1.Chunked     // of its body
	plan       packing.Plan      // of the form in which the client gets it
	encoder    *compress.Encoder // of its body; nil if that stays as it is
	partial    bool              // the app writes its body itself
	late       bool              // the first wait for it is over, in vain
	halfClosed bool              // the process was told that the client is gone

	verdict   balance.Verdict
	workAsked bool // the process wants time without requests

	takeover  *balance.Takeover // nil unless the app took the connection over
	dismissed atomic.Bool       // it was upgraded, and is to end

	ahead func(*balance.Process, *balance.Upstream) (int, error) // sendAhead, bound once
	sent  func()                                                 // tells the app that the process has the request, bound once
}

// init makes s, which is new, that of q for good.
func (s *session) init(q *request) {
	s.req, s.waiter.Answered, s.waiter.From = q, make(chan struct{}, 1), q.origin
	s.ahead, s.sent = s.sendAhead, func() { q.mount.app.balance.Sent(s.process, s.up) }
}

// reset makes s ready for another request.
func (s *session) reset() {
	s.waiter.Probe.Conn = &s.req.client.Conn
	s.waited, s.process, s.up, s.takeover, s.verdict = 0, nil, nil, nil, balance.Fine
	s.try, s.partial, s.late, s.halfClosed, s.workAsked = firstTry, false, false, false, false
	s.plan = packing.Plan{}
	s.target.Store(nil)
	s.phase.Reset()
	s.dismissed.Store(false)
}

// free lets go of what s refers to.
func (s *session) free() {
	s.waiter.Probe.Conn, s.waiter.Wanted = nil, nil
	s.waiter.Process, s.waiter.Upstream, s.waiter.Err = nil, nil, nil
}

// Dismiss ends a tunnel; see balance.Upgraded.
func (s *session) Dismiss() bool {
	if s.dismissed.Swap(true) {
		return false
	}
	s.req.client.Interrupt()
	s.up.Interrupt()
	return true
}

// followFrames prepares f for what the process sends behind the head of its
// answer, which switched protocols.
func (s *session) followFrames(f *tunnel.Frames) {
	if tunnel.KindOf(&s.req.Request, &s.resp) != tunnel.WebSocket {
		f.Lose()
	}
}

// acquire gets a process and a connection to it, if one is idle and open.
func (s *session) acquire(retried bool) error {
	p, a := s.req.client.proxy, s.req.mount.app.balance
	s.phase.On(phase.Asks)
	if !retried {
		s.waiter.Since, s.waiter.Began = p.clock.After(0), time.Time{}
		s.waiter.Begin(s.req.upgrade)
		if m := s.req.mount; m.canary.Name != nil {
			s.waiter.Canary = m.canary.Wanted(&s.req.Request)
		}
		s.beginProbe()
		if s.req.mount.sticky.Name != nil {
			s.waiter.Wanted = s.req.mount.sticky.Wanted(&s.req.Request)
		}
	}
	s.waiter.Alone, s.waiter.Ahead = s.try == loneTry, nil
	if s.try == firstTry && s.req.mayGoAhead() {
		s.waiter.Ahead = s.ahead
	}
	proc, up, err := a.Acquire(&s.waiter, retried)
	before := s.waited
	if !s.waiter.Began.IsZero() {
		s.waited = time.Since(s.waiter.Began)
	}
	if err != nil {
		return err
	}
	if !s.waiter.Began.IsZero() {
		a.Waits.Add(before, s.waited)
	}
	s.process, s.granted = proc, p.clock.Now.Load()
	s.target.Store(proc)
	for up != nil && !s.waiter.Went && !up.Quiet() {
		up.Close()
		up = a.Another(proc)
	}
	s.up = up
	return nil
}

// beginProbe prepares to find out whether the client is there. A web server in
// front that speaks HTTP/1.0 over TCP, as nginx does unless told otherwise, never
// ends its sending side alone.
func (s *session) beginProbe() {
	old := s.req.Minor == 0
	s.waiter.Probe.Begin(old, old && s.req.client.trusted && s.req.client.addr != "")
}

// clean is balance.App.Keep for the process.
func (s *session) clean(rest []byte) bool {
	return s.req.mount.app.balance.Keep(s.process, s.up, rest)
}

func (s *session) connect() (err error) {
	s.up, err = s.req.client.proxy.dialer.Dial(s.process)
	return err
}

// A try is which time it is that a session sends its request.
type try uint8

const (
	firstTry  try = iota
	secondTry     // a process may have acted on the request before
	loneTry       // and may have ended because of it: the next one has no other request
)

// endSession gives the process back, with its connection if that can carry
// another request.
func (x *exchange) endSession(reusable bool) {
	x.req.span.Leaves(x.session.resp.Status)
	a, p, up, t := x.req.mount.app.balance, x.session.process, x.session.up, x.session.takeover
	if up != nil && !reusable {
		x.stopUpload()
		if up = nil; t != nil {
			x.session.up.Close()
		} else {
			a.GiveUp(p, x.session.up, x.session.phase.Begun())
		}
	}
	x.session.process, x.session.up, x.session.takeover = nil, nil, nil
	if x.session.verdict == balance.Fine && x.session.resp.Status >= 500 {
		x.session.verdict = balance.Failed
	}
	if x.session.workAsked {
		x.session.workAsked = false
		a.AskWork(p)
	}
	now := x.client.proxy.clock.Now.Load()
	if t != nil {
		a.EndTakeover(t, now, now-x.session.granted, x.session.verdict)
		return
	}
	a.Release(p, up, now, now-x.session.granted, x.session.verdict)
}
