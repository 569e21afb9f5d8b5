package proxy

import (
	"strconv"
	"time"

	"passenger/lib/http1"
	"passenger/lib/proxy/balance"
	"passenger/lib/proxy/phase"
	"passenger/lib/proxy/wire"
)

// readResponse reads the head of the final response. The buffer returned
// begins with it; n bytes of it are filled. The caller frees it.
func (x *exchange) readResponse() (b *wire.Buffer, n int, err error) {
	x.session.resp.Reset()
	if b, n, err = x.readUpstream(wire.Medium); err != nil {
		return nil, 0, err
	}
	x.session.phase.On(phase.Hears)
	x.session.countFirstByte()
	if x.session.try == loneTry {
		x.req.mount.app.balance.Join(x.session.process)
	}
	for {
		done, err := x.session.resp.Parse(b.B[:n])
		if err == nil && done && x.session.interim() {
			if err = x.passInterim(); err == nil {
				n = copy(b.B, b.B[x.session.resp.Len:n])
				x.session.resp.Reset()
				continue
			}
		}
		if err != nil {
			b.Free()
			return nil, 0, err
		}
		if done {
			return b, n, nil
		}
		if n == len(b.B) {
			b = b.Grown(wire.Large, n)
		}
		if n == 0 {
			b.Free() // a wait for the process, as at first
			if b, n, err = x.readUpstream(wire.Medium); err != nil {
				return nil, 0, err
			}
			continue
		}
		m := 0
		err = x.patiently(func() (err error) {
			m, err = x.session.up.Read(b.B[n:])
			return err
		})
		if err != nil {
			b.Free()
			return nil, 0, err
		}
		n += m
	}
}

// lookEvery is how often a wait for a process is interrupted to see whether
// the client is still there.
const lookEvery = time.Second

// readUpstream reads from the process, into a buffer that is taken only when
// there is something to read.
func (x *exchange) readUpstream(size int) (b *wire.Buffer, n int, err error) {
	err = x.patiently(func() (err error) {
		b, n, err = x.session.up.ReadAnswer(size)
		return err
	})
	return b, n, err
}

// patiently reads from the process for as long as the app's read timeout
// allows. The time while the client pauses in its body does not count: that has
// a timeout of its own.
func (x *exchange) patiently(read func() error) error {
	up, clock := x.session.up, x.client.proxy.clock
	limit := x.session.answerTime()
	up.ReadWait = min(limit, lookEvery)
	err := wire.ErrTimeout
	if x.session.late {
		x.session.late = false
	} else {
		err = read()
	}
	for since := clock.Now.Load() - int64(up.ReadWait); err == wire.ErrTimeout; {
		if since = max(since, x.body.upload.moved.Load()); x.body.upload.waits.Load() {
			since = clock.Now.Load()
		}
		if x.answer.buffer.Failed() {
			return balance.ErrGone
		}
		if x.body.upload.failed() || time.Duration(clock.Now.Load()-since) >= limit {
			return wire.ErrTimeout
		}
		if err := x.look(); err != nil {
			return err
		}
		if clock.Ending.Load() {
			return errStopping
		}
		up.Rearm()
		err = read()
	}
	return err
}

// answerTime is how long the process may be silent.
func (s *session) answerTime() time.Duration {
	if t := s.req.mount.requestTime; t > 0 && !s.phase.Begun() {
		return min(s.req.mount.readTimeout, t)
	}
	return s.req.mount.readTimeout
}

// look finds out whether the client is still there. If not, a request that only
// reads is cancelled. Another is carried to its end; a process that speaks HTTP
// is told by the end of ours, and what it makes of that is up to it.
func (x *exchange) look() error {
	if x.body.upload.running && !x.body.upload.read.Load() {
		return nil // the upload finds out by itself
	}
	switch {
	case !x.gone():
	case x.req.Safe():
		return balance.ErrGone
	case !x.session.halfClosed && !x.session.process.Session:
		x.session.halfClosed = true
		x.session.up.CloseWrite()
	}
	return nil
}

// gone says that the client is gone, as far as one can tell by now.
func (x *exchange) gone() bool {
	p, now := &x.session.waiter.Probe, x.client.proxy.clock.Now.Load()
	switch {
	case !x.answer.answered:
		return p.Look(now)
	case x.answer.passesChunks && x.answer.buffer == nil && x.session.respChunks.Between():
		return p.LookBetween(now)
	}
	return p.Ask(now, nil)
}

func (s *session) interim() bool { return s.resp.Status < 200 && s.resp.Status != 101 }

// maxInterims is how many interim responses a process may send: one more than
// a progress report a second would be in the default read timeout is a flood.
const maxInterims = 601

var errInterims = &http1.Error{Status: 502, Reason: "too many interim responses"}

// passInterim passes an interim response on, but for 100, which is ours to
// send, and not to HTTP/1.0 clients, who know none. Early hints go to clients
// of HTTP/2 alone: browsers want them there only, and Python's http.client and
// nginx before 1.29 take a 103 for the answer. RFC 8297, section 2, leaves that
// to servers.
func (x *exchange) passInterim() error {
	if x.answer.interims++; x.answer.interims > maxInterims {
		return errInterims
	}
	if x.session.takesOver() {
		x.session.takeOver()
		return nil
	}
	if x.session.resp.Status == 100 {
		return x.body.continues()
	}
	if x.req.Minor == 0 || x.session.resp.Status == 103 && !x.client.http2 {
		return nil
	}
	out := wire.TakeBuffer(x.session.resp.Len + 64)
	defer out.Free()
	_, err := x.client.WriteBoth(append(x.session.appendFields(x.session.appendStatus(out.B[:0])), crlf...), nil)
	return err
}

func (s *session) appendStatus(b []byte) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(s.resp.Status), 10)
	b = append(b, ' ')
	b = append(b, s.resp.Reason...)
	return append(b, crlf...)
}

// hopByHop are the fields of a response that end here.
var hopByHop = http1.Names{
	http1.Connection: true, http1.KeepAlive: true, http1.ProxyConnection: true, http1.TE: true,
	http1.TransferEncoding: true, http1.Upgrade: true, http1.ProxyAuthenticate: true,
}

func (s *session) appendFields(b []byte) []byte {
	r := &s.resp
	bare := r.Status < 200 || r.Status == 204 // RFC 9110, 8.6: no length
	for i := range r.Count() {
		if s.forUs(r.Name(i)) || s.plan.Varies && s.plan.Drops(r.Name(i)) {
			continue
		}
		kind := r.Kind(i)
		if !hopByHop[kind] && !r.Hop(i) && !(bare && kind == http1.ContentLength) {
			b = append(b, r.Line(i)...)
			b = append(b, crlf...)
		}
	}
	return b
}

// forUs says that a field of a response is for this server and no client, and
// acts on it. Phusion Passenger has such fields, with names that begin so.
// What names a file is for us or a web server in front, which is trusted:
// others would only learn a path.
func (s *session) forUs(name []byte) bool {
	switch n := len(name); {
	case n < 2:
	case name[0] == '!' && name[1] == '~':
		s.workAsked = s.workAsked || http1.EqualFold(name, "!~request-oob-work")
		return true
	case n == len(partialField) && http1.EqualFold(name, partialField):
		s.partial = true
		return true
	case n == len("x-sendfile") || n == len("x-accel-redirect"):
		return !s.req.client.trusted && (http1.EqualFold(name, "x-sendfile") || http1.EqualFold(name, "x-accel-redirect"))
	}
	return false
}

// appendResponse appends the final response's head.
func (x *exchange) appendResponse(b []byte, framing http1.BodyKind) []byte {
	b = x.session.appendFields(x.session.appendStatus(b))
	if x.session.resp.Find(http1.Date) == nil {
		b = append(b, "Date: "...)
		b = append(b, x.req.date()...)
		b = append(b, crlf...)
	}
	if framing == http1.ChunkedEnd {
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	return append(x.answer.appendConnection(x.session.appendOurs(b)), crlf...)
}

// appendOurs appends what this proxy has to say in an answer of the process.
func (s *session) appendOurs(b []byte) []byte {
	if s.plan.Varies {
		b = s.plan.Append(b)
	}
	if s.req.mount.sticky.Name != nil {
		b = s.req.mount.sticky.AppendTo(b, s.process)
	}
	if s.req.mount.canary.Name != nil {
		b = s.req.mount.canary.AppendTo(b, s.process)
	}
	if s.req.client.proxy.ServerTiming {
		b = append(b, "Server-Timing: queue;dur="...)
		b = strconv.AppendFloat(b, float64(s.waited.Microseconds())/1000, 'f', 3, 64)
		b = append(b, crlf...)
	}
	return b
}
