package proxy

import (
	"time"

	"passenger/lib/http1"
	"passenger/lib/proxy/wire"
)

// A presence finds out whether a client is still there while its answer is being
// made.
//
// A client that closed its connection and one that only ended its sending side
// look the same, and the second must be answered: RFC 9112, 9.6. So such a
// client is asked: it is sent a few bytes that it reads over, which the system of
// one that is gone refuses. Before the answer that is an interim response, for
// clients of HTTP/1.1; between two chunks of one it is a leading zero of the
// next one's size. Of a client that cannot be asked the kernel's keep-alive
// tells, after a minute or so.
type presence struct {
	conn   *wire.Conn
	old    bool  // it speaks HTTP/1.0, which has no interim responses
	leaves bool  // when it ends its sending side it is gone
	askAt  int64 // not before this is it asked again, in the clock's time
	zeros  int   // how often it was asked since the last chunk
}

const (
	// askEvery is how often a client that ended its sending side is asked.
	askEvery = 5 * time.Second

	// mostZeros is how often it is asked within an answer: some clients bound the
	// digits of a chunk's size, as we do.
	mostZeros = 4
)

var (
	processing  = []byte("HTTP/1.1 102 Processing\r\n\r\n")
	leadingZero = []byte("0")
)

// attend prepares p for another request of c. A web server in front that speaks
// HTTP/1.0 over TCP, as nginx does unless told otherwise, never ends its sending
// side alone.
func (p *presence) attend(c *client, q *http1.Request) {
	p.old = q.Minor == 0
	p.leaves = p.old && c.trusted && c.addr != ""
	p.askAt, p.zeros = 0, 0
}

// look says that the client, which waits for an answer that has not begun, is
// gone. Nobody else writes to the connection meanwhile.
func (p *presence) look(now int64) (gone bool) {
	if p.old {
		return p.ask(now, nil)
	}
	return p.ask(now, processing)
}

// lookBetween is look between two chunks of the answer.
func (p *presence) lookBetween(now int64) (gone bool) {
	if p.zeros >= mostZeros {
		return p.ask(now, nil)
	}
	at := p.askAt
	gone = p.ask(now, leadingZero)
	if p.askAt != at {
		p.zeros++
	}
	return gone
}

// ask asks by question, nil for none, and says that the client is gone.
func (p *presence) ask(now int64, question []byte) (gone bool) {
	end, gone := p.conn.Gone()
	switch {
	case gone || end && p.leaves:
		return true
	case !end || len(question) == 0 || now < p.askAt:
		return false
	}
	p.askAt = now + int64(askEvery)
	return !p.conn.Say(question)
}
