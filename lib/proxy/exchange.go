package proxy

import (
	"sync"
	"sync/atomic"
	"time"

	"passenger/lib/http1"
	"passenger/lib/httpcache"
	"passenger/lib/protocol"
	"passenger/lib/proxy/balance"
	"passenger/lib/proxy/buffering"
	"passenger/lib/proxy/fronted"
	"passenger/lib/proxy/wire"
)

// An exchange is one request and its answer, with all that both need. It is
// borrowed while a connection is busy.
type exchange struct {
	client *client
	req    http1.Request
	resp   http1.Response

	// in holds the request's head and what came after it, up to end. What is
	// before start is used up. rest, if set, takes in's place for the next
	// request: what was read behind a chunked body.
	in         *wire.Buffer
	start, end int
	rest       *wire.Buffer
	restEnd    int

	began time.Time
	tick  int64       // the same in the clock's time
	id    [maxID]byte // request ID
	idLen int

	mount   *mount
	process *balance.Process
	up      *balance.Upstream
	waiter  balance.Waiter
	waited  time.Duration // in the queue
	granted int64         // when the session began, in the clock's time
	phase   atomic.Uint32
	target  atomic.Pointer[balance.Process] // process, for those who ask

	body       bodyPlan
	upload     upload
	spool      *buffering.Request  // nil if the body is elsewhere
	reserve    *buffering.Response // what the client has not taken of the answer, nil if that is nothing
	credit     buffering.Budget
	taken      int64         // bytes of a chunked body so far
	chunks     http1.Chunked // of the request's body
	respChunks http1.Chunked // of the answer's

	interims   int               // 1xx responses so far
	continued  bool              // 100 was sent
	lookup     *httpcache.Lookup // nil if no cache has to do with it
	status     int               // of the answer; 0 as long as there is none
	sentBefore int64             // bytes that the client got before the answer's body

	garbled   bool // the request was not understood, or not whole
	verdict   balance.Verdict
	asked     bool // the process is to tell the client to send its body
	workAsked bool // the process wants time without requests
	repeated  bool // it was sent again although a process may have acted on it
	suspect   bool // that may have ended the process
	late      bool // the first wait for the answer is over, in vain
	begun     bool // bytes of an answer came from the process
	answered  bool // the answer to the client has begun
	closing   bool // the connection ends after this answer
	upgrade   bool // the client asked for another protocol, and may
	partial   bool // the app writes the answer's body itself

	takeover  *balance.Takeover // nil unless the app took the connection over
	dismissed atomic.Bool       // it was upgraded, and is to end

	halfClosed   bool // the process was told that the client is gone
	passesChunks bool // of the answer, as they come
}

// Phases of a request, the values of exchange.phase.
const (
	queued = iota
	connecting
	waiting
	responding
	upgraded
)

var phases = [...]string{"queued", "connecting", "waiting", "responding", "upgraded"}

var exchanges = sync.Pool{New: func() any {
	return &exchange{waiter: balance.Waiter{Answered: make(chan struct{}, 1)}}
}}

func takeExchange(c *client, in *wire.Buffer, n int) *exchange {
	x := exchanges.Get().(*exchange)
	x.client, x.in, x.start, x.end = c, in, 0, n
	x.waiter.Probe.Conn = &c.Conn
	x.reset()
	return x
}

func (x *exchange) reset() {
	x.req.Reset()
	if x.client.headers != nil {
		*x.client.headers = fronted.Headers{}
	}
	x.idLen, x.waited, x.status, x.sentBefore = 0, 0, 0, 0
	x.mount, x.process, x.up, x.takeover = nil, nil, nil, nil
	x.target.Store(nil)
	x.upload.reset()
	x.freeSpool()
	x.taken, x.reserve, x.credit = 0, nil, 0
	x.body, x.continued, x.garbled, x.begun, x.answered, x.closing = noBody, false, false, false, false, false
	x.late, x.partial, x.passesChunks, x.asked, x.repeated, x.suspect = false, false, false, false, false, false
	x.upgrade, x.halfClosed, x.workAsked, x.verdict, x.interims = false, false, false, balance.Fine, 0
	x.phase.Store(queued)
	x.dismissed.Store(false)
}

func (x *exchange) free() {
	x.freeSpool()
	x.in.Free()
	if x.rest != nil {
		x.rest.Free()
	}
	x.in, x.rest, x.client, x.waiter.Probe.Conn, x.mount = nil, nil, nil, nil, nil
	x.waiter.Wanted, x.waiter.Process, x.waiter.Upstream, x.waiter.Err = nil, nil, nil, nil
	exchanges.Put(x)
}

// abandon gives a process back after a bug of ours.
func (x *exchange) abandon() {
	if x.process != nil {
		x.endSession(false)
	}
}

// run carries the request, whose head is complete, to the end of its answer,
// and says whether the connection can go on.
func (x *exchange) run() bool {
	p := x.client.proxy
	x.began, x.tick = time.Now(), p.clock.Now.Load()
	x.makeID()
	x.start = x.req.Len
	x.closing = !x.req.KeepAlive || p.draining.Load()
	if done, again := x.challenge(); done {
		return again
	}
	if x.insecure() {
		return x.redirectHTTPS()
	}
	if done, again := x.route(); done {
		return again
	}
	if x.mount.files != nil {
		if done, again := x.static(); done {
			return again
		}
	}
	if err := x.planBody(); err != nil {
		return x.refuse(err)
	}
	x.client.publish(x)
	if c := x.mount.cache; c != nil {
		return x.viaCache(c)
	}
	return x.attempts()
}

// repeatable says that the request may be sent again although the process may
// have begun to act on it: its method is idempotent, and we have it whole.
func (x *exchange) repeatable() bool {
	if x.body == sentBody || x.upgrade {
		return false
	}
	switch string(x.req.Method) {
	case "GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE":
		return true
	}
	return false
}

// safe says that the method only reads, so that nobody misses an answer that
// its client does not wait for.
func (x *exchange) safe() bool {
	switch string(x.req.Method) {
	case "GET", "HEAD", "OPTIONS", "TRACE":
		return true
	}
	return false
}

// describe tells those who ask about x. The client's mutex is held.
func (x *exchange) describe(now time.Time) protocol.Request {
	r := protocol.Request{
		ID: string(x.id[:x.idLen]), Method: string(x.req.Method), Host: string(x.req.Host), Path: string(x.req.Path),
		Age: now.Sub(x.began).Seconds(), Phase: phases[x.phase.Load()],
		App: x.mount.app.name, Client: string(x.appendAddr(nil)),
	}
	if p := x.target.Load(); p != nil && r.Phase != phases[queued] {
		r.ProcessID, r.PID = p.ID, p.PID
	}
	return r
}
