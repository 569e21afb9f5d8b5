package httpcache

import (
	"net/http"
	"strconv"
	"time"

	"passenger/lib/http1"
)

// fetchPatience is how long a request waits for another that fetches the same
// answer anew, before it asks a process itself.
const fetchPatience = time.Second

// Answer returns the entry that answers l at a time, which may be later than
// now: it waits for another that fetches it. It is nil if the cache has none.
func (l *Lookup) Answer(now time.Time) (e *Entry, at time.Time) {
	if !l.usable {
		return nil, now
	}
	c := l.cache
	e, wait := c.find(l, now)
	if wait != nil {
		patience := time.NewTimer(fetchPatience)
		select {
		case <-wait:
		case <-patience.C:
		}
		patience.Stop()
		now = time.Now()
		e, _ = c.find(l, now)
	}
	switch {
	case e != nil:
		c.Hits.Add(1)
	case !l.OnlyIfCached():
		c.Misses.Add(1)
	}
	return e, now
}

// OnlyIfCached says that its client wants no answer but a kept one: RFC 9111,
// 5.2.1.7.
func (l *Lookup) OnlyIfCached() bool { return l.usable && l.asked.ifCache }

// ForRequest is what e is to the request q: status, the fields that were kept,
// and the body. A client that has e already is told so.
func (e *Entry) ForRequest(q *http1.Request) (status int, head, body []byte) {
	if e.unchanged(q) {
		return http.StatusNotModified, e.notModified, nil
	}
	return e.status, e.head, e.body
}

// AppendFields appends the fields that tell of this use of e, and the length of the body
// if the status has one.
func (e *Entry) AppendFields(b []byte, status int, now time.Time, length int) []byte {
	b = append(b, "Age: "...)
	b = strconv.AppendInt(b, e.ageAt(now), 10)
	b = append(b, "\r\nCache-Status: passenger; hit\r\n"...)
	if status != http.StatusNotModified && !e.bare {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, int64(length), 10)
		b = append(b, '\r', '\n')
	}
	return b
}

// unchanged says that the client has e already: RFC 9111, 4.3.2.
func (e *Entry) unchanged(q *http1.Request) bool {
	if e.status != http.StatusOK {
		return false
	}
	if tags := q.FindName("if-none-match"); tags != nil {
		return e.etag != "" && http1.ListsTag(tags, e.etag)
	}
	since := q.FindName("if-modified-since")
	if since == nil {
		return false
	}
	if string(since) == e.lastModified {
		return true
	}
	have, ok1 := http1.ParseDate(since)
	modified, ok2 := http1.ParseDate([]byte(e.lastModified))
	return ok1 && ok2 && !modified.After(have)
}
