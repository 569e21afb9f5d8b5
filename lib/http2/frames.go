package http2

import (
	h2 "golang.org/x/net/http2"
)

// What the frames do. The connection's mutex is held by all of this.

// isIdle says that a stream was not opened yet.
func (c *Conn) isIdle(id uint32) bool { return id%2 == 0 || id > c.last }

func (c *Conn) onData(f *h2.DataFrame) error {
	size, p := int(f.Length), f.Data()
	if !c.received.take(size) {
		return h2.ConnectionError(h2.ErrCodeFlowControl)
	}
	s := c.streams[f.StreamID]
	if s == nil || s.failed != nil {
		c.grant(size)
		switch {
		case s != nil && s.failed != errGone || c.cut.has(f.StreamID):
			return c.spendOnEmpty(p, false) // on its way when we ended the stream
		case c.isIdle(f.StreamID):
			return h2.ConnectionError(h2.ErrCodeProtocol)
		}
		return h2.StreamError{StreamID: f.StreamID, Code: h2.ErrCodeStreamClosed}
	}
	c.grant(size - len(p)) // padding is read already
	s.grant(size - len(p))
	if err := s.request.add(s, size, p); err != nil {
		c.grant(len(p))
		return err
	}
	if f.StreamEnded() {
		if err := s.endRequest(nil); err != nil {
			return err
		}
	}
	s.wake.Broadcast()
	return c.spendOnEmpty(p, f.StreamEnded())
}

func (c *Conn) spendOnEmpty(p []byte, ended bool) error {
	if len(p) == 0 && !ended {
		return c.spend(trifleCosts)
	}
	return nil
}

// grant counts n bytes that were read.
func (c *Conn) grant(n int) {
	if n = c.received.give(n); n > 0 && c.ending == nil {
		b := c.output.begin()
		*b = appendWindowUpdate(*b, 0, n)
		c.kick()
	}
}

func (c *Conn) onReset(f *h2.RSTStreamFrame) error {
	if c.isIdle(f.StreamID) {
		return h2.ConnectionError(h2.ErrCodeProtocol)
	}
	s := c.streams[f.StreamID]
	if s == nil || s.failed != nil {
		return c.spend(trifleCosts)
	}
	s.fail(errGone)
	if s.ended {
		return c.spend(trifleCosts)
	}
	return c.spend(resetCosts)
}

// reset ends a stream on which something is wrong.
func (c *Conn) reset(id uint32, code h2.ErrCode) error {
	b := c.output.begin()
	*b = appendReset(*b, id, code)
	c.kick()
	c.cut.add(id)
	if s := c.streams[id]; s != nil {
		s.fail(errMalformed)
	} else if c.isIdle(id) && id%2 == 1 && id > c.last {
		c.last = id
	}
	return c.spend(resetCosts)
}

func (c *Conn) onWindowUpdate(f *h2.WindowUpdateFrame) error {
	if err := c.spend(trifleCosts); err != nil {
		return err
	}
	if f.StreamID == 0 {
		if c.window += int64(f.Increment); c.window > maxWindow {
			return h2.ConnectionError(h2.ErrCodeFlowControl)
		}
		c.output.wake()
		return nil
	}
	if c.isIdle(f.StreamID) {
		return h2.ConnectionError(h2.ErrCodeProtocol)
	}
	s := c.streams[f.StreamID]
	if s == nil || s.failed != nil {
		return nil
	}
	if s.window += int64(f.Increment); s.window > maxWindow {
		return h2.StreamError{StreamID: f.StreamID, Code: h2.ErrCodeFlowControl}
	}
	s.wake.Broadcast()
	return nil
}

func (c *Conn) onSettings(f *h2.SettingsFrame) error {
	if f.IsAck() {
		return c.spend(trifleCosts)
	}
	if err := c.spend(settingsCosts + f.NumSettings()*trifleCosts); err != nil {
		return err
	}
	if err := f.ForeachSetting(c.apply); err != nil {
		return err
	}
	b := c.output.begin()
	*b = appendSettingsAck(*b)
	return nil
}

// apply applies one setting. The size of frames is no less than what we use,
// whatever the client says.
func (c *Conn) apply(s h2.Setting) error {
	if err := s.Valid(); err != nil {
		return err
	}
	switch s.ID {
	case h2.SettingHeaderTableSize:
		c.resized = c.resized || s.Val < tableSize
		return nil
	case h2.SettingInitialWindowSize:
	default:
		return nil
	}
	change := int64(s.Val) - c.initial
	c.initial = int64(s.Val)
	for _, s := range c.streams {
		if s.window += change; s.window > maxWindow {
			return h2.ConnectionError(h2.ErrCodeFlowControl)
		}
		s.wake.Broadcast()
	}
	return nil
}

func (c *Conn) onPing(f *h2.PingFrame) error {
	if f.IsAck() {
		c.drainAcked(f.Data)
		return c.spend(trifleCosts)
	}
	b := c.output.begin()
	*b = appendPing(*b, h2.FlagPingAck, f.Data)
	return c.spend(trifleCosts)
}
