package balance

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/proxy/files"
)

// A Process is one process of an app as a target of sessions. Its app's mutex
// guards what changes.
type Process struct {
	ID, address string
	PID         int
	uid         int  // of its user, files.UnknownUser if the table does not say
	Session     bool // speaks the session protocol
	Form        int  // the newest form of that which it knows
	generation  int
	concurrency int

	draining bool
	leaving  bool              // it is not only to be idle but to go
	upgraded map[Upgraded]bool // true: may be closed when the process is to go
	inFlight int
	crowded  bool   // it had several sessions when one was let down
	alone    bool   // its session has it for itself
	aloneBy  int64  // no longer than that, in the clock's time; 0 until the next sweep
	counted  uint64 // sessions ended
	errors   uint64 // of them, with a 5xx status or without an answer
	took     int64  // they together, in nanoseconds
	asked    uint64 // of them, with a wish for time out of band
	stuck    uint64 // of them, without a byte in the request time
	lastUsed int64  // in the clock's time, 0 if never
	used     uint64
	Cookie   string // its name in cookies

	Sendfile atomic.Pointer[files.Sendfile] // nil if its answers name no files
	idle     []*Upstream
	place    place // behind its session, if it takes one at a time

	// refused says that the last connection attempt was; until retry, in the
	// clock's time, no other is made.
	refused bool
	retry   int64

	// deafSince and deafUntil are the retry of the first refusal since a
	// connection was last taken, 0 if there was none since, and of the newest.
	deafSince atomic.Int64
	deafUntil int64
}

func newProcess(rp *protocol.RouteProcess) *Process {
	p := &Process{
		ID: rp.ID, Cookie: StickyID(rp.ID), PID: rp.PID, uid: files.UnknownUser, address: rp.Address, concurrency: rp.Concurrency, generation: rp.Generation,
		Session: rp.DataProtocol == protocol.ProtocolSession, Form: min(rp.SessionForm, protocol.SessionAhead), draining: rp.Draining, leaving: rp.Leaving,
	}
	if rp.UID != nil {
		p.uid = *rp.UID
	}
	return p
}

func (p *Process) free() bool {
	return p.serves() && !p.alone && (p.concurrency == 0 || p.inFlight < p.concurrency)
}

// refuse notes that p refused a connection. retry is when it gets another.
func (p *Process) refuse(retry int64) {
	p.refused, p.deafUntil = true, retry
	p.deafSince.CompareAndSwap(0, retry)
}

// accepted notes that p took a connection. It needs no mutex.
func (p *Process) accepted() {
	if p.deafSince.Load() != 0 {
		p.deafSince.Store(0)
	}
}

// refusedFor is how long p has refused connections.
func (p *Process) refusedFor() time.Duration {
	if since := p.deafSince.Load(); since != 0 {
		return time.Duration(p.deafUntil - since)
	}
	return 0
}

// busy says that clients have something of p.
func (p *Process) busy() bool { return p.inFlight > 0 || len(p.upgraded) > 0 }

// upgrade counts u among the upgraded connections of p. closable says that it
// may be closed when p is to go.
func (p *Process) upgrade(u Upgraded, closable bool) {
	if p.upgraded == nil {
		p.upgraded = map[Upgraded]bool{}
	}
	p.upgraded[u] = closable
}

// LooksAhead says that p takes requests that go ahead.
func (p *Process) LooksAhead() bool { return p.Session && p.Form >= protocol.SessionAhead }

// Local says that the process listens on a unix socket.
func (p *Process) Local() bool { return strings.HasPrefix(p.address, "unix:") }

// hung says that p takes one request at a time and was stuck in one: it still is,
// and the pool replaces it.
func (p *Process) hung() bool { return p.stuck > 0 && p.concurrency == 1 }

// before says that p rather than q, which is free too, gets the next session.
func (p *Process) before(q *Process) bool {
	switch {
	case p.inFlight != q.inFlight:
		return p.inFlight < q.inFlight
	case len(p.upgraded) != len(q.upgraded):
		return len(p.upgraded) < len(q.upgraded)
	case p.generation != q.generation:
		return p.generation > q.generation
	}
	return p.used > q.used
}

func (p *Process) takeIdle() *Upstream {
	if n := len(p.idle) - 1; n >= 0 {
		u := p.idle[n]
		p.idle[n] = nil
		p.idle = p.idle[:n]
		return u
	}
	return nil
}

func (p *Process) drain() (idle []*Upstream) {
	p.draining = true
	idle, p.idle = p.idle, nil
	return idle
}

// closeIdle closes the connections that were idle too long: those at the
// bottom of the stack.
func (p *Process) closeIdle(now int64) {
	old := 0
	for old < len(p.idle) && now-p.idle[old].idleSince > int64(p.idleTime()) {
		p.idle[old].Close()
		old++
	}
	p.idle = slices.Delete(p.idle, 0, old)
}

func (p *Process) idleTime() time.Duration {
	if p.Session {
		return sessionIdle
	}
	return httpIdle
}
