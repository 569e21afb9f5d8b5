package proxy

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"passenger/lib/http1"
	"passenger/lib/protocol"
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
	in         *buffer
	start, end int
	rest       *buffer
	restEnd    int

	began time.Time
	id    [maxID]byte // request ID
	idLen int

	mount   *mount
	process *process
	up      *upstream
	waiter  waiter
	waited  time.Duration // in the queue
	phase   atomic.Uint32
	target  atomic.Pointer[process] // process, for those who ask

	body       bodyPlan
	upload     upload
	spool      *spool   // nil if the body is elsewhere
	reserve    *reserve // what the client has not taken of the answer, nil if that is nothing
	credit     credit
	taken      int64         // bytes of a chunked body so far
	chunks     http1.Chunked // of the request's body
	respChunks http1.Chunked // of the answer's

	interims   int     // 1xx responses so far
	continued  bool    // 100 was sent
	lookup     *lookup // nil if no cache has to do with it
	status     int     // of the answer; 0 as long as there is none
	sentBefore int64   // bytes that the client got before the answer's body

	garbled   bool // the request was not understood, or not whole
	verdict   verdict
	workAsked bool // the process wants time without requests
	late      bool // the first wait for the answer is over, in vain
	begun     bool // bytes of an answer came from the process
	answered  bool // the answer to the client has begun
	closing   bool // the connection ends after this answer
	upgrade   bool // the client asked for another protocol, and may

	dismissed atomic.Bool // it was upgraded, and is to end

	halfClosed bool // the process was told that the client sends no more
}

// Phases of a request, the values of exchange.phase.
const (
	queued = iota
	connecting
	waiting
	responding
	upgraded
)

// A verdict says how a process did.
type verdict uint8

const (
	fine   verdict = iota
	failed         // it answered with a 5xx status, or not at all
	stuck          // it let the request time pass without a byte
)

var phases = [...]string{"queued", "connecting", "waiting", "responding", "upgraded"}

// A bodyPlan is how a request's body gets to the process.
type bodyPlan uint8

const (
	noBody   bodyPlan = iota
	heldBody          // whole in the buffer behind the head
	sentBody          // passed on as it comes
	keptBody          // whole in the spool
)

// maxHeld is the largest body that is read before a process is held for it.
// It spares apps that take one request at a time the wait for slow clients.
const maxHeld = 32 << 10

// maxAttempts bounds how many processes a request is tried on.
const maxAttempts = 10

var exchanges = sync.Pool{New: func() any {
	return &exchange{waiter: waiter{answered: make(chan struct{}, 1)}}
}}

func takeExchange(c *client, in *buffer, n int) *exchange {
	x := exchanges.Get().(*exchange)
	x.client, x.in, x.start, x.end = c, in, 0, n
	x.waiter.conn = &c.conn
	x.reset()
	return x
}

func (x *exchange) reset() {
	x.req.Reset()
	if x.client.headers != nil {
		*x.client.headers = secureHeaders{}
	}
	x.idLen, x.waited, x.status, x.sentBefore = 0, 0, 0, 0
	x.mount, x.process, x.up = nil, nil, nil
	x.target.Store(nil)
	x.upload.reset()
	x.freeSpool()
	x.taken, x.reserve, x.credit = 0, nil, 0
	x.body, x.continued, x.garbled, x.begun, x.answered, x.closing = noBody, false, false, false, false, false
	x.late = false
	x.upgrade, x.halfClosed, x.workAsked, x.verdict, x.interims = false, false, false, fine, 0
	x.phase.Store(queued)
	x.dismissed.Store(false)
}

func (x *exchange) free() {
	x.freeSpool()
	x.in.free()
	if x.rest != nil {
		x.rest.free()
	}
	x.in, x.rest, x.client, x.waiter.conn, x.mount = nil, nil, nil, nil, nil
	x.waiter.wanted, x.waiter.process, x.waiter.upstream, x.waiter.err = nil, nil, nil, nil
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
	x.began = time.Now()
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

// planBody decides how the body travels, and reads a small one.
func (x *exchange) planBody() error {
	x.upgrade = x.req.AsksUpgrade && x.req.Minor > 0 && x.req.ContentLength <= 0 && !x.req.Chunked && x.mayUpgrade()
	if most := int64(x.mount.route.MaxBodySize); most > 0 && x.req.ContentLength > most {
		x.body = sentBody
		return errBodyTooLong
	}
	switch {
	case x.req.Chunked:
		if err := x.planChunked(); err != nil || x.body == heldBody {
			return err
		}
	case x.req.ContentLength <= 0:
		x.body = noBody
	case x.req.ContentLength <= maxHeld:
		x.body = heldBody
		if err := x.readBody(int(x.req.ContentLength)); err != nil {
			return err
		}
		x.start = x.req.Len + int(x.req.ContentLength)
	default:
		x.body = sentBody
	}
	if x.body == sentBody && (x.mount.buffers(x.req.Chunked) || x.flagged(flagBuffer)) {
		if err := x.fillSpool(); err != nil {
			return err
		}
		x.body = keptBody
	}
	return nil
}

// planChunked holds a chunked body that is already here. It waits for none:
// the client may wait for the answer's begin.
func (x *exchange) planChunked() error {
	x.body = sentBody
	x.chunks.Reset()
	have := x.in.b[x.start:x.end]
	chunks, total, err := x.chunks.Scan(have)
	if err != nil {
		return err
	}
	// What has a trailer goes the other way, which knows what to keep of it.
	if x.chunks.Done() && total == chunks+len("\r\n") {
		x.body = heldBody
		x.start += total
	}
	return nil
}

// mayUpgrade allows any protocol but HTTP/2, whose requests would pass this
// proxy unseen, and WebSocket by GET only: RFC 6455, 4.1.
func (x *exchange) mayUpgrade() bool {
	v := x.req.Find(http1.Upgrade)
	switch {
	case len(v) >= 2 && v[0]|0x20 == 'h' && v[1] == '2':
		return false
	case http1.EqualFold(v, "websocket"):
		return string(x.req.Method) == "GET"
	}
	return len(v) > 0
}

// attempt tries the request on one process. retry says that nothing was lost
// and another attempt may be made.
func (x *exchange) attempt(n int) (retry, again bool) {
	if err := x.acquire(n > 1); err != nil {
		return false, x.noProcess(err)
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
	p, a := x.client.proxy, x.mount.app
	x.phase.Store(queued)
	if !retried {
		x.waiter.since, x.waiter.began = p.clock.after(0), time.Time{}
		x.waiter.old, x.waiter.askAt, x.waiter.wanted = x.req.Minor == 0, 0, nil
		if x.mount.sticky.name != nil {
			x.waiter.wanted = x.mount.sticky.wanted(&x.req)
		}
	}
	proc, up, err := a.acquire(&x.waiter, retried)
	if err != nil {
		return err
	}
	if !x.waiter.began.IsZero() {
		x.waited = time.Since(x.waiter.began)
	}
	x.process = proc
	x.target.Store(proc)
	for up != nil && !up.quiet() {
		up.close()
		up = a.another(proc)
	}
	x.up = up
	return nil
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

func (x *exchange) connect() (err error) {
	x.up, err = x.client.proxy.dial(x.process)
	return err
}

// refusedFor is how long a process that refused a connection is left alone;
// the pool will have learned of its end by then.
const refusedFor = time.Second

// fullPause is how long to wait for room in a process's backlog.
const fullPause = 5 * time.Millisecond

func (x *exchange) connectFailed(err error, n int) (retry, again bool) {
	p, a := x.client.proxy, x.mount.app
	now := p.clock.now.Load()
	full := errors.Is(err, errFull)
	a.cancel(x.process, !full, now+int64(refusedFor))
	x.process = nil
	if full {
		if time.Since(x.began) > x.mount.queueTime {
			return false, x.fail(504, "The application did not take the request in time.")
		}
		time.Sleep(fullPause)
		return true, false
	}
	if n < maxAttempts {
		return true, false
	}
	return false, x.fail(502, "No process of the application accepted the request.")
}

// noResponse handles a connection that ended before a response began.
func (x *exchange) noResponse(err error, n int) (retry, again bool) {
	ended := errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
	if ended && x.up.reused && !x.begun && x.repeatable() && n < maxAttempts {
		x.dropSession()
		return true, false
	}
	switch {
	case errors.Is(err, errGone), errors.Is(err, errStopping):
	case errors.Is(err, errTimeout) && !x.begun && x.mount.requestTime > 0:
		x.verdict = stuck
	default:
		x.verdict = failed
	}
	x.endSession(false)
	if failed := x.upload.clientError(); failed != nil {
		return false, x.refuse(failed)
	}
	var bad *http1.Error
	switch {
	case errors.Is(err, errGone):
		return false, false
	case errors.Is(err, errStopping):
		return false, x.fail(503, "The server went away before the application answered.")
	case errors.Is(err, errTimeout):
		return false, x.fail(504, "The application did not answer in time.")
	case errors.As(err, &bad):
		return false, x.fail(502, "The application sent an invalid response ("+bad.Reason+").")
	}
	return false, x.fail(502, "The application closed the connection without an answer.")
}

// dropSession undoes acquire and connect, as if the session had never been.
func (x *exchange) dropSession() {
	p, up := x.process, x.up
	x.process, x.up = nil, nil
	up.close()
	x.upload.abandon()
	x.mount.app.cancel(p, false, 0)
}

// endSession gives the process back, with its connection if that can carry
// another request.
func (x *exchange) endSession(reusable bool) {
	if x.up != nil && !reusable {
		x.stopUpload()
		x.up.close()
		x.up = nil
	}
	p, up := x.process, x.up
	x.process, x.up = nil, nil
	if x.verdict == fine && x.resp.Status >= 500 {
		x.verdict = failed
	}
	if x.workAsked {
		x.workAsked = false
		x.mount.app.askWork(p)
	}
	x.mount.app.release(p, up, x.client.proxy.clock.now.Load(), x.verdict)
}

// describe tells those who ask about x. The client's mutex is held.
func (x *exchange) describe(now time.Time) protocol.Request {
	r := protocol.Request{
		ID: string(x.id[:x.idLen]), Method: string(x.req.Method), Host: string(x.req.Host), Path: string(x.req.Path),
		Age: now.Sub(x.began).Seconds(), Phase: phases[x.phase.Load()],
		App: x.mount.app.name, Client: string(x.appendAddr(nil)),
	}
	if p := x.target.Load(); p != nil && r.Phase != phases[queued] {
		r.ProcessID, r.PID = p.id, p.pid
	}
	return r
}
