package proxy

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"passenger/lib/proxy/files"
)

// A process is one process of an app as a target of sessions. Its app's mutex
// guards what changes.
type process struct {
	id, address string
	pid         int
	uid         int  // whom it runs as, files.UnknownUser if nobody says
	session     bool // speaks the session protocol
	generation  int
	concurrency int

	draining bool
	leaving  bool               // it is not only to be idle but to go
	upgraded map[*exchange]bool // true: may be closed when the process is to go
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
	sticky   string // its name in cookies

	sendfile atomic.Pointer[files.Sendfile] // nil if its answers name no files
	idle     []*upstream

	// refused says that the last connection attempt was; until retry, in the
	// clock's time, no other is made.
	refused bool
	retry   int64
}

func (p *process) free() bool {
	return p.serves() && !p.alone && (p.concurrency == 0 || p.inFlight < p.concurrency)
}

// busy says that clients have something of p.
func (p *process) busy() bool { return p.inFlight > 0 || len(p.upgraded) > 0 }

// upgrade counts x among the upgraded connections of p. closable says that it
// may be closed when p is to go.
func (p *process) upgrade(x *exchange, closable bool) {
	if p.upgraded == nil {
		p.upgraded = map[*exchange]bool{}
	}
	p.upgraded[x] = closable
}

// local says that the process listens on a unix socket.
func (p *process) local() bool { return strings.HasPrefix(p.address, "unix:") }

// hung says that p takes one request at a time and was stuck: it is at it
// still, and is replaced.
func (p *process) hung() bool { return p.stuck > 0 && p.concurrency == 1 }

// before says that p rather than q, which is free too, gets the next session.
func (p *process) before(q *process) bool {
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

func (p *process) takeIdle() *upstream {
	if n := len(p.idle) - 1; n >= 0 {
		u := p.idle[n]
		p.idle[n] = nil
		p.idle = p.idle[:n]
		return u
	}
	return nil
}

func (p *process) drain() (idle []*upstream) {
	p.draining = true
	idle, p.idle = p.idle, nil
	return idle
}

// closeIdle closes the connections that were idle too long: those at the
// bottom of the stack.
func (p *process) closeIdle(now int64) {
	old := 0
	for old < len(p.idle) && now-p.idle[old].idleSince > int64(p.idleTime()) {
		p.idle[old].Close()
		old++
	}
	p.idle = slices.Delete(p.idle, 0, old)
}

func (p *process) idleTime() time.Duration {
	if p.session {
		return sessionIdle
	}
	return httpIdle
}
