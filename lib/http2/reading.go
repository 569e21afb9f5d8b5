package http2

import (
	"bufio"
	"errors"
	"io"
	"sync"

	h2 "golang.org/x/net/http2"
)

// A reading is what it takes to read frames. It is borrowed while there are
// some: a connection on which nothing comes holds none.
type reading struct {
	conn   *Conn
	ahead  []byte // read already; comes first
	buffer *bufio.Reader
	framer *h2.Framer
}

var readings = sync.Pool{New: func() any {
	r := &reading{}
	r.buffer = bufio.NewReaderSize(r, 4<<10)
	r.framer = h2.NewFramer(io.Discard, r.buffer)
	r.framer.SetMaxReadFrameSize(maxFrame)
	r.framer.SetReuseFrames()
	return r
}}

func (r *reading) Read(p []byte) (int, error) {
	if len(r.ahead) > 0 {
		n := copy(p, r.ahead)
		r.ahead = r.ahead[n:]
		return n, nil
	}
	return r.conn.read(p)
}

// readFrames waits for a frame and handles all that have come. first says that
// the connection's first one is due: RFC 9113, 3.4.
func (c *Conn) readFrames(first bool) error {
	n, err := c.read(c.first[:])
	if err != nil {
		return err
	}
	r := readings.Get().(*reading)
	r.conn, r.ahead = c, c.first[:n]
	r.buffer.Reset(r)
	for {
		if err := c.readFrame(r, first); err != nil {
			return err // its state is unknown: it is not used again
		}
		first = false
		if r.buffer.Buffered() > 0 || len(r.ahead) > 0 {
			continue
		}
		c.mu.Lock()
		c.kick()
		c.mu.Unlock()
		if !c.heads.coming {
			break
		}
	}
	r.conn = nil
	readings.Put(r)
	return nil
}

func (c *Conn) readFrame(r *reading, first bool) error {
	header, err := r.framer.ReadFrameHeader()
	if err != nil {
		return frameError(err)
	}
	if first && header.Type != h2.FrameSettings {
		return h2.ConnectionError(h2.ErrCodeProtocol)
	}
	if header.Type == h2.FrameHeaders {
		c.beginHead()
	}
	frame, err := r.framer.ReadFrameForHeader(header)
	if header.Type == h2.FrameHeaders {
		err = headError(err)
	}
	if err == nil {
		c.mu.Lock()
		c.awaitRoom()
		err = c.handle(frame)
		c.mu.Unlock()
	}
	if first {
		c.headBy = noTime
	}
	var bad h2.StreamError
	if errors.As(err, &bad) {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.reset(bad.StreamID, bad.Code)
	}
	return frameError(err)
}

// frameError is the error of the connection that one of its framer means.
func frameError(err error) error {
	if errors.Is(err, h2.ErrFrameTooLarge) || errors.Is(err, io.ErrUnexpectedEOF) {
		return h2.ConnectionError(h2.ErrCodeFrameSize)
	}
	return err
}

// headError makes err the connection's if it is that of a frame which begins a
// head: without that the table of fields is unknown.
func headError(err error) error {
	var bad h2.StreamError
	if errors.As(err, &bad) {
		return h2.ConnectionError(bad.Code)
	}
	return err
}

// handle acts on a frame. An error of a stream ends only that. mu is held.
func (c *Conn) handle(frame h2.Frame) error {
	switch f := frame.(type) {
	case *h2.HeadersFrame:
		return c.onHeaders(f)
	case *h2.ContinuationFrame:
		return c.onFragment(f.HeaderBlockFragment(), f.HeadersEnded())
	case *h2.DataFrame:
		return c.onData(f)
	case *h2.RSTStreamFrame:
		return c.onReset(f)
	case *h2.WindowUpdateFrame:
		return c.onWindowUpdate(f)
	case *h2.SettingsFrame:
		return c.onSettings(f)
	case *h2.PingFrame:
		return c.onPing(f)
	case *h2.PushPromiseFrame:
		return h2.ConnectionError(h2.ErrCodeProtocol)
	case *h2.PriorityFrame:
		if f.StreamDep == f.StreamID {
			return h2.StreamError{StreamID: f.StreamID, Code: h2.ErrCodeProtocol}
		}
	}
	return c.spend(trifleCosts) // nothing to do
}

// spend ends the connection if the client asks too much.
func (c *Conn) spend(n int) error {
	if !c.patience.spend(n) {
		return h2.ConnectionError(h2.ErrCodeEnhanceYourCalm)
	}
	return nil
}
