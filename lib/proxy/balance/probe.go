package balance

import (
	"time"

	"passenger/lib/proxy/wire"
)

// A Probe finds out whether a client is still there while its answer is being
// made.
//
// A client that closed its connection and one that only ended its sending side
// look the same, and the second must be answered: RFC 9112, 9.6. So such a
// client is asked: it is sent a few bytes that it reads over, which the system of
// one that is gone refuses. Before the answer that is an interim response, or for
// clients of HTTP/1.0, which know none, the next byte of what every answer begins
// with; between two chunks of one it is a leading zero of the next one's size. Of
// a client that cannot be asked the kernel's keep-alive tells, after a minute or
// so.
type Probe struct {
	Conn   *wire.Conn
	old    bool  // it speaks HTTP/1.0, which has no interim responses
	leaves bool  // when it ends its sending side it is gone
	askAt  int64 // not before this is it asked again, in the clock's time
	zeros  int   // how often it was asked since the last chunk
}

const (
	// AskEvery is how often a client that ended its sending side is asked.
	AskEvery = 5 * time.Second

	// mostZeros is how often it is asked within an answer: some clients bound the
	// digits of a chunk's size, as we do.
	mostZeros = 4
)

var (
	Processing  = []byte("HTTP/1.1 102 Processing\r\n\r\n")
	statusLine  = []byte("HTTP/1.1 ")
	leadingZero = []byte("0")
)

// Begin prepares p for another request on its connection. old says that the
// client speaks HTTP/1.0, leaves that it is gone when it ends its sending side.
func (p *Probe) Begin(old, leaves bool) {
	p.old, p.leaves, p.askAt, p.zeros = old, leaves, 0, 0
}

// ChunkSent says that the client got a chunk of the answer, or its head.
func (p *Probe) ChunkSent() { p.zeros = 0 }

// AnswerBegins has p ask in another way from now on: the answer has begun.
func (p *Probe) AnswerBegins() { p.askAt = 0 }

// Look says that the client, which waits for an answer that has not begun, is
// gone. No other goroutine writes to the connection meanwhile.
func (p *Probe) Look(now int64) (gone bool) {
	if !p.old {
		return p.Ask(now, Processing)
	}
	due, gone := p.mayAsk(now)
	if due {
		p.askAt = now + int64(AskEvery)
		gone = !p.Conn.Foretell(statusLine)
	}
	return gone
}

// LookBetween is Look between two chunks of the answer.
func (p *Probe) LookBetween(now int64) (gone bool) {
	if p.zeros >= mostZeros {
		return p.Ask(now, nil)
	}
	at := p.askAt
	gone = p.Ask(now, leadingZero)
	if p.askAt != at {
		p.zeros++
	}
	return gone
}

// Ask asks by question, nil for none, and says that the client is gone.
func (p *Probe) Ask(now int64, question []byte) (gone bool) {
	due, gone := p.mayAsk(now)
	if due && len(question) > 0 {
		p.askAt = now + int64(AskEvery)
		gone = !p.Conn.Say(question)
	}
	return gone
}

// mayAsk says that the client is gone, or that it ended its sending side and is
// due to be asked.
func (p *Probe) mayAsk(now int64) (due, gone bool) {
	end, gone := p.Conn.Gone()
	gone = gone || end && p.leaves
	return end && !gone && now >= p.askAt, gone
}
