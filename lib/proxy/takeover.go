package proxy

import (
	"time"

	"passenger/lib/bug"
	"passenger/lib/http1"
	"passenger/lib/protocol"
	"passenger/lib/proxy/wire"
)

// An app may take its connection over, in Ruby's words hijack it. Its adapter
// says so before: it sends the interim response "199 Hijacked". From then on the
// connection is the app's. What comes is the app's own answer, and no request
// follows it. The process has its slot back as soon as it is free to answer
// again, which with one thread may be long after.

// takeoverStatus and takeoverReason are the interim response. One that differs
// is some other server's, and is passed on.
const (
	takeoverStatus = 199
	takeoverReason = "Hijacked"
)

// partialField is the field of a head whose body the app writes itself.
const partialField = "x-passenger-hijack"

// defaultMaxUpgraded is how many connections without a slot a process may have,
// for routes that do not say it. An app with the usual 1024 descriptors has
// room for its files and its clients besides.
const defaultMaxUpgraded = 500

func (x *exchange) takesOver() bool {
	r := &x.resp
	return r.Status == takeoverStatus && string(r.Reason) == takeoverReason && r.Count() == 0
}

// A takeover is a session whose connection the app has taken over. The app's
// mutex guards it while its goroutine runs.
type takeover struct {
	process *process
	up      *upstream     // on which the process is asked whether it is free
	freed   bool          // the slot was given back
	over    bool          // the session has ended
	done    chan struct{} // closed when nobody asks any more; nil if nobody does
}

// takeOver notes that the app takes x's connection over.
func (x *exchange) takeOver() {
	if x.takeover != nil {
		return
	}
	x.phase.Store(upgraded)
	a, p, t := x.mount.app, x.process, &takeover{process: x.process}
	x.takeover = t
	a.mu.Lock()
	defer a.mu.Unlock()
	p.upgrade(x, false)
	switch {
	case p.concurrency == 0:
		a.giveBack(t)
	case p.session && (x.upgrade || len(p.upgraded) <= a.maxUpgraded):
		t.done = make(chan struct{})
		go func() {
			defer close(t.done)
			defer bug.Caught(nil)
			a.awaitFree(t, x.client.proxy, x.mount.readTimeout)
		}()
	}
}

// giveBack gives the session's slot back. The mutex is held.
func (a *app) giveBack(t *takeover) {
	t.freed = true
	t.process.inFlight--
	a.grant()
}

// endTakeover takes x out of the upgraded connections, and its slot back if it
// had given it: the session ends as any other does.
func (a *app) endTakeover(x *exchange) {
	t := x.takeover
	x.takeover = nil
	a.mu.Lock()
	t.over = true
	if t.up != nil {
		t.up.Interrupt()
	}
	a.mu.Unlock()
	if t.done != nil {
		<-t.done
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(t.process.upgraded, x)
	if t.freed {
		t.process.inFlight++
	}
}

// awaitFree gives t's slot back when the process answers a question that is no
// request, and its connection to the next request.
func (a *app) awaitFree(t *takeover, p *Proxy, limit time.Duration) {
	u := a.openTakeover(t, p)
	if u == nil {
		return
	}
	u.ReadWait = limit
	reusable := u.answersQuestion()
	a.mu.Lock()
	defer a.mu.Unlock()
	t.up = nil
	if !reusable || t.over || t.process.draining {
		u.Close()
	} else {
		u.idleSince, u.reused = p.clock.Now.Load(), true
		t.process.idle = append(t.process.idle, u)
	}
	if reusable && !t.over {
		a.giveBack(t)
	}
}

// openTakeover returns a connection to ask on, nil if there is none or the
// session has ended. A backlog that is full will have room.
func (a *app) openTakeover(t *takeover, p *Proxy) *upstream {
	u := a.another(t.process)
	for u != nil && !u.Quiet() {
		u.Close()
		u = a.another(t.process)
	}
	for u == nil {
		var err error
		if u, err = p.dial(t.process); err == errFull || err == errNoDescriptor {
			time.Sleep(fullPause)
		} else if err != nil {
			return nil
		}
		a.mu.Lock()
		over := t.over
		a.mu.Unlock()
		if over && u == nil {
			return nil
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if t.over {
		u.Close()
		return nil
	}
	t.up = u
	return u
}

// question is a session of which the app learns nothing: the adapter answers it
// in the place of a request.
var question = func() []byte {
	b := http1.BeginBlock(nil)
	for _, pair := range [...][2]string{
		{"CONTENT_LENGTH", "0"}, {"SCGI", "1"}, {"REQUEST_METHOD", "GET"}, {"REQUEST_URI", "/"}, {"PATH_INFO", "/"},
		{"SERVER_PROTOCOL", "HTTP/1.1"}, {protocol.VariableWork, protocol.WorkNone},
	} {
		b = http1.AppendPair(b, pair[0], pair[1])
	}
	return http1.FinishBlock(b)
}()

// answersQuestion asks the process, and says whether it answered in full.
func (u *upstream) answersQuestion() bool {
	if _, err := u.WriteBoth(question, nil); err != nil {
		return false
	}
	b := wire.TakeBuffer(wire.Small)
	defer b.Free()
	var r http1.Response
	r.Reset()
	for n := 0; n < len(b.B); {
		m, err := u.Read(b.B[n:])
		if err != nil {
			return false
		}
		n += m
		if done, err := r.Parse(b.B[:n]); done || err != nil {
			return err == nil && r.Status == 200 && r.Body(false) == http1.NoBody && n == r.Len && r.KeepAlive
		}
	}
	return false
}
