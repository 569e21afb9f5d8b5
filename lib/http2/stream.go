package http2

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"

	h2 "golang.org/x/net/http2"
)

// Why a stream breaks off.
var (
	errGone      = errors.New("the client went away")
	errMalformed = errors.New("the client broke the protocol")
)

// A Stream is one request and its answer. It is a net.Conn: reading yields the
// request as HTTP/1.1, and what is written is the answer in HTTP/1.1, interim
// responses before it. After a 101 for a WebSocket both are its bytes.
//
// One goroutine at a time may read, and one may write.
type Stream struct {
	conn   *Conn
	id     uint32
	isHead bool
	key    string // of the WebSocket that was asked for; else empty

	// The connection's mutex guards the rest but what is the writer's.
	wake     sync.Cond
	request  request
	received inflow
	window   int64 // what we may send
	answer   *answer

	settled bool  // it is no longer open
	ended   bool  // the whole answer was sent
	broken  bool  // it shall not pass for whole
	closed  bool  // by whom it serves
	failed  error // why it broke off, else nil
	queued  bool  // it is in output.waiting
	turn    turn  // with the connection's pace
	moved   bool  // some of the answer was sent since Moved was asked

	readTime, writeTime deadline
}

// newStream returns the stream that a head opens. mu is held.
func newStream(c *Conn, h *heads) *Stream {
	s := &Stream{conn: c, id: h.stream, isHead: h.head.method == "HEAD", window: c.initial}
	s.wake.L = &c.mu
	s.received = inflow{size: streamWindow, most: mostWindow, left: streamWindow}
	if h.head.isTunnel() {
		s.key = newKey()
	}
	s.request = request{
		text: h.head.text(h.ended, s.key), length: h.head.length, ended: h.ended,
		chunked: h.head.isChunked(h.ended), tunnel: h.head.isTunnel(),
	}
	return s
}

// fail breaks the stream off. mu is held, as for the next three.
func (s *Stream) fail(err error) {
	if s.failed == nil {
		s.failed = err
		s.settle()
		s.wake.Broadcast()
	}
}

// settle makes room for another stream once this one is over on both sides.
func (s *Stream) settle() {
	if over := s.failed != nil || s.ended && s.request.ended; over && !s.settled {
		s.settled = true
		s.conn.open--
	}
}

func (s *Stream) endRequest(trailer []byte) error {
	if err := s.request.end(s.id, trailer); err != nil {
		return err
	}
	s.settle()
	return nil
}

// grant counts n bytes of the body that were read.
func (s *Stream) grant(n int) {
	if n = s.received.give(n); n > 0 && !s.request.ended && s.failed == nil {
		b := s.conn.output.begin()
		*b = appendWindowUpdate(*b, s.id, n)
		s.conn.kick()
	}
}

// Read reads the request. At its end it waits until the answer is complete,
// and only then returns io.EOF: HTTP/1.1 has no other request to come, and the
// client is still there. The end of a WebSocket is returned at once.
func (s *Stream) Read(p []byte) (int, error) {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if s.readTime.over {
			return 0, os.ErrDeadlineExceeded
		}
		if s.failed != nil {
			return 0, s.failed
		}
		n, used := s.request.read(p)
		if used > 0 {
			c.grant(used)
			s.grant(used)
		}
		if n > 0 {
			return n, nil
		}
		if err := s.request.over(s.ended || s.closed); err != nil {
			return 0, err
		}
		s.wake.Wait()
	}
}

// Write writes of the answer. Its parts leave at once.
func (s *Stream) Write(p []byte) (int, error) { return s.WriteBoth(p, nil) }

// WriteBoth writes p and then p2, which leave together.
func (s *Stream) WriteBoth(p, p2 []byte) (n int, err error) {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err = s.write(p)
	if err == nil {
		var m int
		m, err = s.write(p2)
		n += m
	}
	c.flush()
	return n, err
}

// CloseWrite ends an answer that only its end ends.
func (s *Stream) CloseWrite() error {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if !s.ended && s.failed == nil && s.answer != nil && s.answer.endless() {
		s.sendEnd()
		s.conn.flush()
	}
	return nil
}

// Close ends the stream. The client sees whether the answer was whole.
func (s *Stream) Close() error {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.readTime.stop()
	s.writeTime.stop()
	if s.failed == nil {
		s.finish()
		c.flush()
	}
	c.grant(s.request.drop())
	if s.answer != nil {
		s.answer.free()
		s.answer = nil
	}
	s.wake.Broadcast()
	return nil
}

// finish sends what the client must see of the end.
func (s *Stream) finish() {
	c := s.conn
	if !s.ended && !s.broken && s.answer != nil && s.answer.endless() {
		s.sendEnd()
	}
	if s.ended && s.request.ended {
		return
	}
	code := h2.ErrCodeInternal
	if s.ended {
		code = h2.ErrCodeNo // RFC 9113, 8.1: there is no need for the rest
	}
	b := c.output.begin()
	*b = appendReset(*b, s.id, code)
	c.cut.add(s.id)
	s.fail(net.ErrClosed)
}

// leave ends the stream when it is served no more.
func (s *Stream) leave() {
	_ = s.Close() // it never fails
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.streams, s.id)
	c.left()
}

// Break makes the answer's end, when the stream is closed, look like none.
func (s *Stream) Break() {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	s.broken = true
}

// Gone says that the client went away.
func (s *Stream) Gone() bool {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	return s.failed != nil
}

// Moved says whether some of the answer was sent since it was asked last. A
// client with a tiny window takes long for what is written at once, and is alive.
func (s *Stream) Moved() (moved bool) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	moved, s.moved = s.moved, false
	return moved
}

// LocalAddr and RemoteAddr are those of the connection.
func (s *Stream) LocalAddr() net.Addr  { return s.conn.nc.LocalAddr() }
func (s *Stream) RemoteAddr() net.Addr { return s.conn.nc.RemoteAddr() }

// SetDeadline, SetReadDeadline and SetWriteDeadline are as those of net.Conn.
// What is being written to the connection is not given up, but the connection's
// own time for it counts.
func (s *Stream) SetDeadline(t time.Time) error {
	_ = s.SetReadDeadline(t) // neither fails
	return s.SetWriteDeadline(t)
}

// SetReadDeadline is part of SetDeadline.
func (s *Stream) SetReadDeadline(t time.Time) error { return s.setDeadline(&s.readTime, t) }

// SetWriteDeadline is part of SetDeadline.
func (s *Stream) SetWriteDeadline(t time.Time) error { return s.setDeadline(&s.writeTime, t) }

// A deadline ends waits. The connection's mutex guards it.
type deadline struct {
	over  bool
	timer *time.Timer
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

func (s *Stream) setDeadline(d *deadline, t time.Time) error {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	d.stop()
	d.over = false
	switch wait := time.Until(t); {
	case t.IsZero() || s.closed:
	case wait <= 0:
		d.over = true
		s.wake.Broadcast()
	default:
		var timer *time.Timer
		timer = time.AfterFunc(wait, func() {
			s.conn.mu.Lock()
			defer s.conn.mu.Unlock()
			if d.timer == timer { // it is not another's time by now
				d.over = true
				s.wake.Broadcast()
			}
		})
		d.timer = timer
	}
	return nil
}
