package packing

import (
	"bytes"
	"net/http"

	"passenger/lib/compress"
	"passenger/lib/http1"
	"passenger/lib/httpcache"
)

// Entry finds the form of a kept answer that a client wants: its body, and head, to which it
// appends what that says of it. body is the one of the answer that goes out with the status;
// it is empty for 304. Forms that are made are kept in the cache of the entry.
func Entry(q *http1.Request, c *httpcache.Cache, e *httpcache.Entry, pool *compress.Pool, status int, body, head []byte) (packed, appended []byte) {
	p := kept(q, e.Tag(), status, len(e.Body()))
	if p.Coding != compress.Plain && status != http.StatusNotModified {
		if packed = c.Packed(e, int(p.Coding)); packed == nil {
			packed = whole(pool, p.Coding, body)
			c.KeepPacked(e, int(p.Coding), packed)
		}
		if packed == nil {
			p.Plain()
		} else {
			body = packed
		}
	}
	return body, p.Append(head)
}

// kept is the plan for an answer that is kept as the app made it, with its entity tag and the
// length of its body, and that goes out with a status.
func kept(q *http1.Request, tag []byte, status, length int) Plan {
	p := Plan{Varies: true, NotModified: status == http.StatusNotModified, kept: tag}
	if strong(tag) {
		p.tag = tag
	}
	if wanted(q) && length >= Least {
		p.Coding = compress.Choose(q.Find(http1.AcceptEncoding))
	}
	p.weak = p.Coding != compress.Plain || p.NotModified && holds(q, tag)
	return p
}

// whole compresses a body, and returns nil if there is no memory for that.
func whole(pool *compress.Pool, c compress.Coding, body []byte) []byte {
	e := pool.Take(c, false)
	defer e.Free()
	if e == nil {
		return nil
	}
	p, err := e.Next(body, false, true)
	if err != nil {
		return nil
	}
	return bytes.Clone(p)
}
