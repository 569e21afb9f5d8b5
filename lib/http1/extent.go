package http1

// An Extent follows the body of a response through the bytes that come.
type Extent struct {
	Kind    BodyKind
	Left    int64    // for a sized one, how much of it is to come
	Chunks  *Chunked // of a chunked one
	Decode  bool     // the chunks are not passed on
	Surplus int      // how many bytes came behind the body
}

// Extent is that of the body of r, the answer to HEAD if head. chunks is for one in
// chunks, and to be reset then.
func (r *Response) Extent(head bool, chunks *Chunked) Extent {
	return Extent{Kind: r.Body(head), Left: r.ContentLength, Chunks: chunks}
}

// Measure says which part of p, the next bytes, to pass on, and whether the body
// ends there.
func (e *Extent) Measure(p []byte) (part []byte, ended bool, err error) {
	switch e.Kind {
	case NoBody:
		e.Surplus = len(p)
		return nil, true, nil
	case Sized:
		n := int(min(e.Left, int64(len(p))))
		e.Left -= int64(n)
		e.Surplus = len(p) - n
		return p[:n], e.Left == 0, nil
	case ChunkedEnd:
		var n, total int
		if e.Decode {
			n, total, err = e.Chunks.Decode(p)
		} else {
			_, total, err = e.Chunks.Scan(p)
			n = total
		}
		e.Surplus = len(p) - total
		return p[:n], e.Chunks.Done(), err
	}
	return p, false, nil
}
