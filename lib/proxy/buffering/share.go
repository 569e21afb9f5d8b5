// Package buffering holds bodies that a client is slow to send or to take, so that
// no process waits for it.
//
// A [Request] buffer has a body before a process gets it, a [Response] buffer what
// a client has not taken of an answer. Both are on disk, but for the first of an
// answer. A [Share] bounds what a connection, an app and the proxy have there,
// [Memory] what all answers have in memory.
package buffering

import (
	"sync/atomic"

	"passenger/lib/proxy/wire"
)

// Limits bound what is kept on disk of bodies, in bytes; 0 for no limit.
type Limits struct {
	All        int64
	App        int64 // of one app's requests and answers
	Connection int64 // of those of one client's connection
}

// A Share is a part of the disk for bodies, of the proxy, an app or a
// connection.
type Share struct {
	Most  int64 // 0 for no limit
	used  atomic.Int64
	owed  atomic.Int64  // of a connection: the part of used that is of answers
	spent atomic.Uint64 // times that it did not suffice
}

// Used is how many bytes are taken.
func (s *Share) Used() int64 { return s.used.Load() }

// Owed is how many of a connection's are of answers: its client frees them by taking
// these.
func (s *Share) Owed() int64 { return s.owed.Load() }

// Spent is how often it did not suffice.
func (s *Share) Spent() uint64 { return s.spent.Load() }

// Short says that so few bytes are left that, mine aside, a large buffer does not
// fit.
func (s *Share) Short(mine int64) bool {
	return s.Most > 0 && s.used.Load()-mine+wire.Large > s.Most
}

// take takes n bytes, or says that there are not so many left.
func (s *Share) take(n int64) bool {
	if s.used.Add(n) <= s.Most || s.Most == 0 {
		return true
	}
	s.used.Add(-n)
	return false
}

// A Lease is what one body has of the shares that it belongs to. One goroutine
// grows it; another may end it.
type Lease struct {
	shares [3]*Share // the connection's, the app's, the proxy's
	bytes  atomic.Int64
	answer bool // the body is of one
}

// NewLease returns a lease of nothing yet.
func NewLease(connection, app, all *Share) *Lease {
	return &Lease{shares: [3]*Share{connection, app, all}}
}

// NewAnswerLease is NewLease for the body of an answer.
func NewAnswerLease(connection, app, all *Share) *Lease {
	l := NewLease(connection, app, all)
	l.answer = true
	return l
}

// hold notes that n bytes more were taken.
func (l *Lease) hold(n int64) {
	l.bytes.Add(n)
	l.owe(n)
}

func (l *Lease) owe(n int64) {
	if l.answer {
		l.shares[0].owed.Add(n)
	}
}

// grow takes n bytes of every share. If one has not so many left it takes none,
// and returns that one.
func (l *Lease) grow(n int64) (spent *Share) {
	for i, s := range l.shares {
		if !s.take(n) {
			s.spent.Add(1)
			for _, other := range l.shares[:i] {
				other.used.Add(-n)
			}
			return s
		}
	}
	l.hold(n)
	return nil
}

// force takes n bytes, whatever is left.
func (l *Lease) force(n int64) {
	for _, s := range l.shares {
		s.used.Add(n)
	}
	l.hold(n)
}

// end gives back what was taken. It may be called again.
func (l *Lease) end() {
	n := l.bytes.Swap(0)
	l.owe(-n)
	for _, s := range l.shares {
		if s != nil {
			s.used.Add(-n)
		}
	}
}
