package httpcache

// Packable says that the body may be sent in other forms, for which the head of the entry
// leaves room: it has no entity tag.
func (e *Entry) Packable() bool { return e.packable }

// Tag is the entity tag, empty if there is none.
func (e *Entry) Tag() []byte { return []byte(e.etag) }

// Body is the body as it came.
func (e *Entry) Body() []byte { return e.body }

// Packed returns the form of a number, nil if that is not kept.
func (c *Cache) Packed(e *Entry, form int) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return e.packed[form]
}

// KeepPacked keeps a form of the entry's body, if there is room for it and the entry is
// kept still.
func (c *Cache) KeepPacked(e *Entry, form int, body []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := int64(len(body))
	if n == 0 || !e.kept || e.packed[form] != nil || c.bytes+n > maxAppCached || c.total.Load()+n > maxCached {
		return
	}
	e.packed[form] = body
	c.bytes += n
	c.total.Add(n)
}
