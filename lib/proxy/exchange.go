package proxy

import (
	"sync"
	"time"

	"passenger/lib/httpcache"
	"passenger/lib/protocol"
	"passenger/lib/proxy/fronted"
	"passenger/lib/proxy/phase"
	"passenger/lib/proxy/wire"
)

// An exchange is one request and its answer, with all that both need. It is
// borrowed while a connection is busy.
type exchange struct {
	client  *client
	req     request
	body    requestBody
	session session
	answer  answer

	passes passage
	lookup *httpcache.Lookup // nil if no cache has to do with it

	garbled bool // the request was not understood, or not whole
	took    time.Duration
}

var exchanges = sync.Pool{New: func() any { return newExchange() }}

// newExchange returns an exchange whose parts know its request.
func newExchange() *exchange {
	x := &exchange{}
	x.body.req, x.answer.req, x.answer.overflow = &x.req, &x.req, x.newBuffer
	x.session.init(&x.req)
	return x
}

func takeExchange(c *client, in *wire.Buffer, n int) *exchange {
	x := exchanges.Get().(*exchange)
	x.client, x.req.in, x.req.start, x.req.end = c, in, 0, n
	x.reset()
	return x
}

func (x *exchange) reset() {
	if x.client.headers != nil {
		*x.client.headers = fronted.Headers{}
	}
	x.req.reset(x.client)
	x.session.reset()
	x.body.reset()
	x.answer.reset()
	x.garbled = false
}

func (x *exchange) free() {
	x.body.freeBuffer()
	x.req.free()
	x.session.free()
	x.client = nil
	exchanges.Put(x)
}

// abandon gives a process back after a bug of ours.
func (x *exchange) abandon() {
	x.req.place.Leave()
	x.session.freeEncoder()
	if x.session.process != nil {
		x.endSession(false)
	}
}

// run carries the request, whose head is complete, to the end of its answer,
// and says whether the connection can go on.
func (x *exchange) run() bool {
	p := x.client.proxy
	x.req.began, x.req.tick = time.Now(), p.clock.Now.Load()
	x.req.makeID()
	x.req.beginTrace()
	x.req.start = x.req.Len
	x.answer.closing = !x.req.KeepAlive || p.leaving.Load()
	if done, again := x.challenge(); done {
		return again
	}
	if x.req.insecure() {
		return x.redirectHTTPS()
	}
	if done, again := x.route(); done {
		return again
	}
	if x.req.mount.canonical != nil {
		if done, again := x.redirectHost(); done {
			return again
		}
	}
	if x.req.mount.public != nil {
		if done, again := x.static(); done {
			return again
		}
	}
	if x.req.mount.limits != nil {
		if done, again := x.limited(); done {
			return again
		}
	}
	if err := x.body.planBody(); err != nil {
		return x.refuse(err)
	}
	x.client.publish(x)
	if c := x.req.mount.cache; c != nil {
		return x.viaCache(c)
	}
	return x.attempts()
}

// end counts, logs and traces the exchange, which has ended. It is the one reading of a
// clock for all.
func (x *exchange) end() {
	x.req.place.Leave()
	if x.req.mount != nil || x.client.proxy.AccessLog != nil || x.client.proxy.Traces != nil {
		x.took = time.Since(x.req.began)
	}
	o := (*outcome)(x)
	o.count()
	o.log()
	o.trace()
}

// describe is what the control socket says of x. The client's mutex is held.
func (x *exchange) describe(now time.Time) protocol.Request {
	r := protocol.Request{
		ID: string(x.req.id[:x.req.idLen]), Method: string(x.req.Method), Host: string(x.req.Host), Path: string(x.req.Path),
		Age: now.Sub(x.req.began).Seconds(), Phase: phase.Names[x.session.phase.Now()],
		App: x.req.mount.app.name, Client: string(x.client.headers.AppendAddr(nil, &x.req.Request, x.client.addr)),
	}
	if p := x.session.target.Load(); p != nil && r.Phase != phase.Names[phase.Queued] {
		r.ProcessID, r.PID = p.ID, p.PID
	}
	return r
}
