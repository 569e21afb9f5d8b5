package proxy

import (
	"syscall"
	"time"
)

// A presence finds out whether a client is still there while it waits for the
// first byte of its answer.
//
// A client that closed its connection and one that only ended its sending side
// look the same, and the second must be answered. So such a client is sent an
// interim response, which every HTTP/1.1 client has to read over: the system
// of one that is gone refuses it.
type presence struct {
	conn  *conn
	old   bool  // it speaks HTTP/1.0, which has no interim responses
	askAt int64 // not before this is it asked again, in the clock's time
}

// askEvery is how often a client that ended its sending side is asked.
const askEvery = 5 * time.Second

var processing = []byte("HTTP/1.1 102 Processing\r\n\r\n")

// look says that the client ended its sending side, and that it is gone.
// Nobody else writes to the connection meanwhile.
func (p *presence) look(now int64) (end, gone bool) {
	end, gone = p.conn.gone()
	if !end || gone || p.old || now < p.askAt {
		return end, gone
	}
	p.askAt = now + int64(askEvery)
	return end, !p.conn.say(processing)
}

// say sends a few bytes without waiting. ok is false if they did not leave as
// a whole; then the connection is good for nothing.
func (c *conn) say(text []byte) (ok bool) {
	t := transfer{p: text}
	err := c.raw.Control(func(fd uintptr) {
		n, errno := t.send(fd)
		ok = errno == 0 && n == len(text) || errno == syscall.EAGAIN
	})
	return ok && err == nil
}
