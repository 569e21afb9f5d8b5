package http2

// Offer writes p as Write does if all of it can leave without a wait for the
// client, else nothing.
func (s *Stream) Offer(p []byte) (n int, err error) {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	pending := 0
	if c.output.pending != nil {
		pending = len(c.output.pending.b)
	}
	// Frames take no more than twice the chunks that they are made of.
	if int64(len(p)) > min(s.window, c.window) || pending+2*len(p) >= maxPending {
		return 0, s.failed
	}
	n, err = s.write(p)
	c.kick()
	return n, err
}
