package http2

import (
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"os"
	"sync"

	"passenger/lib/http1"
)

// An answer turns a response in HTTP/1.1 into frames.
type answer struct {
	resp   http1.Response
	chunks http1.Chunked
	head   []byte // what was written of a head that is not whole
	block  []byte // a head's fields, encoded
	begun  bool   // the final head was sent
	kind   http1.BodyKind
	left   int64 // of a body with a length
}

var answers = sync.Pool{New: func() any { return &answer{} }}

func takeAnswer() *answer {
	a := answers.Get().(*answer)
	a.resp.Reset()
	a.chunks.Reset()
	a.head, a.begun, a.kind, a.left = a.head[:0], false, http1.NoBody, 0
	return a
}

func (a *answer) free() { answers.Put(a) }

// endless says that only its end ends the answer.
func (a *answer) endless() bool { return a.begun && a.kind == http1.UntilClose }

var (
	errProtocol = errors.New("the answer is malformed")
	errSwitched = errors.New("the application did not switch to the WebSocket protocol as it should")
)

// write sends p, a part of the answer. It waits as long as the client takes
// nothing. mu is held but while it waits.
func (s *Stream) write(p []byte) (n int, err error) {
	if s.failed != nil {
		return 0, s.failed
	}
	if s.answer == nil {
		s.answer = takeAnswer()
	}
	a := s.answer
	for len(p) > n && !a.begun {
		m, err := s.writeHead(p[n:])
		n += m
		if err != nil {
			return n, err
		}
	}
	if len(p) == n || s.ended {
		return len(p), nil // what follows the end is dropped
	}
	return len(p), s.writeBody(p[n:])
}

// writeHead sends the head that p begins with or goes on with.
func (s *Stream) writeHead(p []byte) (n int, err error) {
	a := s.answer
	before := len(a.head)
	whole := p
	if before > 0 {
		a.head = append(a.head, p...)
		whole = a.head
	}
	done, err := a.resp.Parse(whole)
	switch {
	case err != nil:
		return 0, err
	case !done:
		if before == 0 {
			a.head = append(a.head, p...)
		}
		return len(p), nil
	}
	n = a.resp.Len - before
	err = s.sendHead()
	a.head = a.head[:0]
	if !a.begun {
		a.resp.Reset()
	}
	return n, err
}

func (s *Stream) sendHead() error {
	a := s.answer
	switch status := a.resp.Status; {
	case status == 101 && s.key != "":
		return s.sendSwitched()
	case status == 101:
		return errProtocol
	case status < 200:
		s.queueHead(status, false)
		return nil
	case status < 300 && s.key != "":
		// The client would take it for an open WebSocket.
		return s.refuseSwitch()
	default:
		a.begun = true
		a.kind, a.left = a.resp.Body(s.isHead), a.resp.ContentLength
		s.queueHead(status, a.kind == http1.NoBody)
	}
	return nil
}

// sendSwitched says that the WebSocket is open: RFC 8441, 5.
func (s *Stream) sendSwitched() error {
	a := s.answer
	for i := range a.resp.Count() {
		if http1.EqualFold(a.resp.Name(i), "sec-websocket-accept") {
			if string(a.resp.Value(i)) != accepted(s.key) {
				break
			}
			a.begun, a.kind = true, http1.UntilClose
			s.queueHead(200, false)
			return nil
		}
	}
	return s.refuseSwitch()
}

// accepted is the answer to the key of a WebSocket: RFC 6455, 4.2.2.
func accepted(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func (s *Stream) refuseSwitch() error {
	s.answer.begun = true
	s.queue(appendStatus(s.answer.block[:0], 502), true)
	return errSwitched
}

// queueHead queues the head in a.resp with another status.
func (s *Stream) queueHead(status int, last bool) {
	a := s.answer
	b := appendStatus(a.block[:0], status)
	for i := range a.resp.Count() {
		if s.passes(i) {
			b = appendField(b, a.resp.Name(i), a.resp.Value(i))
		}
	}
	s.queue(b, last)
}

// passes says that field i has a meaning in HTTP/2: RFC 9113, 8.2.2.
func (s *Stream) passes(i int) bool {
	switch r := &s.answer.resp; r.Kind(i) {
	case http1.Connection, http1.TransferEncoding, http1.KeepAlive, http1.ProxyConnection, http1.Upgrade:
		return false
	default:
		return s.key == "" || !http1.EqualFold(r.Name(i), "sec-websocket-accept")
	}
}

// queue queues a block of fields.
func (s *Stream) queue(block []byte, last bool) {
	s.answer.block = block
	c := s.conn
	if c.resized {
		c.resized = false
		block = append([]byte{emptyTable}, block...)
	}
	b := c.output.begin()
	*b = appendHead(*b, s.id, block, last)
	s.end(last)
}

func (s *Stream) end(last bool) {
	if last {
		s.ended = true
		s.conn.patience.earn(requestEarns)
		s.settle()
		s.wake.Broadcast() // the reader waits for it
	}
}

// sendEnd ends the answer.
func (s *Stream) sendEnd() {
	b := s.conn.output.begin()
	*b = appendData(*b, s.id, nil, true)
	s.end(true)
}

func (s *Stream) writeBody(p []byte) error {
	a := s.answer
	switch a.kind {
	case http1.Sized:
		p = p[:min(int64(len(p)), a.left)]
		a.left -= int64(len(p))
		return s.send(p, a.left == 0)
	case http1.ChunkedEnd:
		return s.writeChunks(p)
	}
	return s.send(p, false)
}

// writeChunks sends the data of chunks, one piece behind, so that the last one
// can say that it is.
func (s *Stream) writeChunks(p []byte) error {
	a := s.answer
	var held []byte
	for len(p) > 0 && !a.chunks.Done() {
		data, n, err := a.chunks.Next(p)
		if err != nil {
			return err
		}
		p = p[n:]
		if len(data) == 0 {
			continue
		}
		if held != nil {
			if err := s.send(held, false); err != nil {
				return err
			}
		}
		held = data
	}
	done := a.chunks.Done()
	last := done && len(a.chunks.Trailer()) == 0
	if held != nil {
		if err := s.send(held, last); err != nil {
			return err
		}
	} else if last {
		s.sendEnd()
	}
	if done && !last {
		s.sendTrailer()
	}
	return nil
}

// sendTrailer ends the answer with the trailer of the chunks.
func (s *Stream) sendTrailer() {
	b := s.answer.block[:0]
	for name, value := range fieldLines(s.answer.chunks.Trailer()) {
		b = appendField(b, name, value)
	}
	s.queue(b, true)
}

// send sends data.
func (s *Stream) send(p []byte, last bool) error {
	for {
		n, err := s.reserve(len(p))
		if err != nil {
			return err
		}
		b := s.conn.output.begin()
		*b = appendData(*b, s.id, p[:n], last && n == len(p))
		s.conn.patience.earn(dataEarns)
		if p = p[n:]; len(p) == 0 {
			s.end(last)
			return nil
		}
	}
}

// reserve waits until some of n bytes may be sent, and says how many.
func (s *Stream) reserve(n int) (int, error) {
	c := s.conn
	for {
		switch {
		case s.failed != nil:
			return 0, s.failed
		case s.writeTime.over:
			return 0, os.ErrDeadlineExceeded
		case c.output.failed != nil:
			return 0, c.output.failed
		}
		most := int(min(int64(n), maxFrame, s.window, c.window))
		paced := false
		if !c.output.full() && (most > 0 || n == 0) {
			if c.mayGo(s, most, n) {
				s.window -= int64(most)
				c.window -= int64(most)
				s.moved = true
				return most, nil
			}
			paced = true
		}
		if c.flush() {
			continue
		}
		if !paced && !s.queued {
			s.queued = true
			c.output.waiting = append(c.output.waiting, s)
		}
		s.wake.Wait()
	}
}
