package http2

import (
	"slices"
	"time"
)

// A pace keeps a client from having its answers cut to dust at full speed: of
// frames that only a window makes tiny a connection sends one in a while. Such a
// client is served slowly, by which it costs no more than others, and its window
// may have grown by the time of the next frame.
//
// The streams that wait for it stand in line, and one is woken at a time. The
// connection's mutex guards it.
type pace struct {
	next  time.Time // not before this is the next tiny frame sent
	line  []*Stream
	timer *time.Timer // runs while a stream is in line; nil before the first
}

// A turn is a stream's with its connection's pace.
type turn uint8

const (
	outOfLine turn = iota
	inLine
	itsTurn
)

const (
	earnest   = 1000 // bytes of a frame that is not tiny
	tinyEvery = time.Millisecond
)

// mayGo says whether most of n bytes may be sent now on s, which else is woken
// when they may. c's mutex is held.
func (c *Conn) mayGo(s *Stream, most, n int) bool {
	p := &c.tiny
	switch {
	case most >= min(n, earnest):
		return true
	case s.turn == inLine:
		return false
	}
	now := time.Now()
	if s.turn == itsTurn || len(p.line) == 0 && !now.Before(p.next) {
		s.turn, p.next = outOfLine, now.Add(tinyEvery)
		return true
	}
	s.turn = inLine
	if p.line = append(p.line, s); len(p.line) == 1 {
		c.wakeIn(p.next.Sub(now))
	}
	return false
}

// wakeIn has the first in line woken after wait.
func (c *Conn) wakeIn(wait time.Duration) {
	if c.tiny.timer == nil {
		c.tiny.timer = time.AfterFunc(wait, c.wakeFirst)
	} else {
		c.tiny.timer.Reset(wait)
	}
}

// wakeFirst wakes the first in line. One that has nothing to send any more lets
// its turn pass.
func (c *Conn) wakeFirst() {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := &c.tiny
	if len(p.line) == 0 {
		return
	}
	s := p.line[0]
	p.line = slices.Delete(p.line, 0, 1)
	s.turn = itsTurn
	s.wake.Broadcast()
	if len(p.line) > 0 {
		c.wakeIn(tinyEvery)
	}
}
