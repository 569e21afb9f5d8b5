package http2

import (
	"time"

	h2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A heads decodes the heads that come, one after another. The table of fields
// is the connection's, so each is decoded to its end whatever it is for.
type heads struct {
	decoder *hpack.Decoder // nil before the first
	head    head

	coming           bool // one is on its way
	stream           uint32
	ended            bool // nothing follows it on its stream
	bytes, fragments int
}

var noTime time.Time

// beginHead starts the time that a head may take.
func (c *Conn) beginHead() {
	if c.headBy.IsZero() {
		c.headBy = time.Now().Add(c.config.Header)
	}
}

func (c *Conn) onHeaders(f *h2.HeadersFrame) error {
	h := &c.heads
	if h.decoder == nil {
		h.decoder = hpack.NewDecoder(tableSize, h.head.field)
		h.decoder.SetMaxStringLength(maxHead)
	}
	h.coming, h.stream, h.ended, h.bytes, h.fragments = true, f.StreamID, f.StreamEnded(), 0, 0
	h.head.reset(c.streams[f.StreamID] != nil)
	h.head.malformed = f.HasPriority() && f.Priority.StreamDep == f.StreamID
	return c.onFragment(f.HeaderBlockFragment(), f.HeadersEnded())
}

// onFragment decodes a part of a head.
func (c *Conn) onFragment(p []byte, last bool) error {
	h := &c.heads
	h.bytes += len(p)
	if h.fragments++; h.bytes > maxBlock || h.fragments > maxFragments {
		return h2.ConnectionError(h2.ErrCodeEnhanceYourCalm)
	}
	if _, err := h.decoder.Write(p); err != nil {
		return h2.ConnectionError(h2.ErrCodeCompression)
	}
	if !last {
		return nil
	}
	h.coming = false
	c.headBy = noTime
	if err := h.decoder.Close(); err != nil {
		return h2.ConnectionError(h2.ErrCodeCompression)
	}
	if s := c.streams[h.stream]; s != nil {
		return c.endTrailer(s)
	}
	return c.openStream()
}

// endTrailer ends a request with a trailer.
func (c *Conn) endTrailer(s *Stream) error {
	h := &c.heads
	switch {
	case s.failed != nil && s.failed != errGone:
		return nil // on its way when we ended the stream
	case s.failed == nil && s.settled:
		return h2.ConnectionError(h2.ErrCodeStreamClosed) // RFC 9113, 5.1
	case s.failed != nil, s.request.ended:
		return h2.StreamError{StreamID: s.id, Code: h2.ErrCodeStreamClosed}
	case !h.head.check(h.ended):
		return h2.StreamError{StreamID: s.id, Code: h2.ErrCodeProtocol}
	}
	s.wake.Broadcast()
	return s.endRequest(h.head.lines)
}

func (c *Conn) openStream() error {
	h := &c.heads
	switch {
	case h.stream%2 == 0:
		return h2.ConnectionError(h2.ErrCodeProtocol)
	case c.cut.has(h.stream):
		return nil
	case h.stream <= c.last:
		return h2.ConnectionError(h2.ErrCodeStreamClosed) // RFC 9113, 5.1.1
	}
	c.last = h.stream
	if c.drain.last {
		c.cut.add(h.stream) // the client knows by now that it is lost
		return c.spend(resetCosts)
	}
	if !h.head.check(h.ended) {
		return h2.StreamError{StreamID: h.stream, Code: h2.ErrCodeProtocol}
	}
	if c.open >= MaxStreams || c.served >= maxServed {
		return h2.StreamError{StreamID: h.stream, Code: h2.ErrCodeRefusedStream}
	}
	s := newStream(c, h)
	if c.streams == nil {
		c.streams = map[uint32]*Stream{}
	}
	c.streams[s.id] = s
	c.open++
	c.served++
	c.work.Add(1)
	c.endWait()
	c.staff.serve(s)
	return nil
}
