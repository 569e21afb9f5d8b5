package proxy

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"passenger/lib/http1"
	"passenger/lib/protocol"
)

// fetchPatience is how long a request waits for another that fetches the same
// answer anew, before it asks a process itself.
const fetchPatience = time.Second

// turbocache returns the app's cache, nil if its answers are not kept. What it
// has is forgotten when another generation begins to answer, or ends: its
// answers may be of another release. The proxy's mutex is held.
func (p *Proxy) turbocache(a *app, r *protocol.Route) *cache {
	c := a.cache.Load()
	if !r.Turbocaching {
		if c != nil {
			c.keepFor("")
			a.cache.Store(nil)
		}
		return nil
	}
	if c == nil {
		c = newCache(&p.cached)
		a.cache.Store(c)
	}
	c.keepFor(strconv.Itoa(r.Generation) + " " + r.CacheCookie + " " + strings.Join(generations(r), " "))
	return c
}

// generations lists the generations of the processes that get requests, or will
// if there are none now. Those of a pool that does not tell are named one by
// one.
func generations(r *protocol.Route) []string {
	var list []string
	for _, q := range r.Processes {
		switch {
		case q.Draining:
		case q.Generation == 0:
			list = append(list, q.ID)
		default:
			list = append(list, strconv.Itoa(q.Generation))
		}
	}
	if len(list) == 0 {
		return []string{strconv.Itoa(r.Generation)}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// viaCache answers from the app's cache, or by a process with an eye on what
// its answer means for the cache.
func (x *exchange) viaCache(c *cache) (again bool) {
	l := x.newLookup(c)
	if l == nil {
		return x.attempts()
	}
	x.lookup = l
	defer func() {
		c.settle(l)
		x.lookup = nil
		l.free()
	}()
	if l.usable = l.mayUse(); l.usable {
		if done, again := x.fromCache(l); done {
			return again
		}
	}
	return x.attempts()
}

// fromCache answers from the cache if that has the answer. done says that it
// did, or that nobody else shall.
func (x *exchange) fromCache(l *lookup) (done, again bool) {
	c, now := l.cache, x.began
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
		c.hits.Add(1)
		return true, x.sendEntry(e, now)
	case l.asked.ifCache: // RFC 9111, 5.2.1.7
		return true, x.page(page{Status: http.StatusGatewayTimeout, Message: "The answer is not in the cache, and no other was wanted."})
	}
	c.misses.Add(1)
	return false, false
}

// sendEntry answers with e, in one write.
func (x *exchange) sendEntry(e *entry, now time.Time) (again bool) {
	status, head, body := e.status, e.head, e.body
	if e.unchanged(&x.req) {
		status, head, body = http.StatusNotModified, e.notModified, nil
	}
	out := takeBuffer(len(head) + 256)
	defer out.free()
	b := append(out.b[:0], head...)
	b = append(b, "Age: "...)
	b = strconv.AppendInt(b, e.ageAt(now), 10)
	b = append(b, "\r\nCache-Status: passenger; hit\r\n"...)
	if status != http.StatusNotModified && !e.bare {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, int64(len(body)), 10)
		b = append(b, crlf...)
	}
	b = append(x.appendConnection(b), crlf...)
	if string(x.req.Method) == "HEAD" {
		body = nil
	}
	x.answered = true
	x.begin(status, len(b))
	if _, err := x.client.write(b, body); err != nil {
		return false
	}
	return x.finish()
}

// unchanged says that the client has e already: RFC 9111, 4.3.2.
func (e *entry) unchanged(q *http1.Request) bool {
	if e.status != http.StatusOK {
		return false
	}
	if tags := fieldOf(&q.Head, "if-none-match"); tags != nil {
		return e.etag != "" && listsTag(tags, e.etag)
	}
	since := fieldOf(&q.Head, "if-modified-since")
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

// listsTag says whether a list of entity tags has one, compared weakly: RFC
// 9110, 8.8.3.2.
func listsTag[T string | []byte](list []byte, tag T) bool {
	if len(tag) > 2 && tag[0] == 'W' {
		tag = tag[2:]
	}
	for len(list) > 0 {
		var element []byte
		element, list = cutElement(list)
		if string(element) == "*" || string(bytes.TrimPrefix(element, []byte("W/"))) == string(tag) {
			return true
		}
	}
	return false
}

// consider looks at the head of a process's answer for what it means for the
// cache: an answer to keep, or a change that makes others wrong.
func (x *exchange) consider(l *lookup) {
	r := &x.resp
	if !x.safe() {
		if r.Status >= 200 && r.Status < 400 {
			x.invalidate(l)
		}
		return
	}
	if !l.usable || string(x.req.Method) != "GET" {
		return
	}
	came := time.Now()
	f, ok := storable(&x.req, l.asked, r, x.began, came)
	kind := r.Body(false)
	if !ok || kind == http1.UntilClose {
		l.cache.settle(l) // who waits for it waits in vain
		return
	}
	vary, ok := l.varies(r)
	if !ok {
		l.cache.settle(l)
		return
	}
	e := &entry{
		uri: string(l.uri), variant: string(l.variant), vary: vary, freshness: f, came: came,
		status: r.Status, bare: r.Status == http.StatusNoContent,
		etag: string(fieldOf(&r.Head, "etag")), lastModified: string(fieldOf(&r.Head, "last-modified")),
	}
	if e.lastModified == "" { // RFC 9111, 4.3.2: then the date counts
		e.lastModified = came.UTC().Format(http.TimeFormat)
		if date := r.Find(http1.Date); date != nil {
			e.lastModified = string(date)
		}
	}
	e.head = x.appendKept(x.appendStatus(nil), false)
	e.notModified = x.appendKept([]byte("HTTP/1.1 304 Not Modified\r\n"), true)
	l.pending, l.chunked = e, kind == http1.ChunkedEnd && x.req.Minor > 0
}

// appendKept appends the fields that are kept of an answer, for an answer 304
// without those of the content.
func (x *exchange) appendKept(b []byte, notModified bool) []byte {
	r := &x.resp
	for i := range r.Count() {
		name, kind := r.Name(i), r.Kind(i)
		if x.forUs(name) || hopByHop[kind] || r.Hop(i) || kind == http1.ContentLength || http1.EqualFold(name, "age") {
			continue
		}
		content := len(name) > len("content-") && http1.EqualFold(name[:len("content-")], "content-")
		if notModified && content && !http1.EqualFold(name, "content-location") {
			continue
		}
		b = append(append(b, r.Line(i)...), crlf...)
	}
	if r.Find(http1.Date) == nil {
		b = append(b, "Date: "...)
		b = append(append(b, x.client.proxy.dates.at(time.Now()).http...), crlf...)
	}
	return b
}

// add takes the next part of the answer's body in, and keeps the answer when it
// ended.
func (l *lookup) add(part []byte, ended bool) {
	e := l.pending
	if e == nil {
		return
	}
	if len(l.body)+len(part) > 2*maxCachedBody { // chunks take room, too
		l.drop()
		return
	}
	if l.body = append(l.body, part...); !ended {
		return
	}
	e.body = l.body
	if l.chunked {
		var chunks http1.Chunked
		chunks.Reset()
		n, _, err := chunks.Decode(e.body)
		if err != nil || !chunks.Done() {
			l.drop()
			return
		}
		e.body = e.body[:n]
	}
	if len(e.body) <= maxCachedBody {
		e.body = bytes.Clone(e.body) // without the room at its end
		l.cache.add(l, e)
	}
	l.drop()
}

// drop gives the answer up, if it was not kept.
func (l *lookup) drop() {
	l.pending, l.body = nil, nil
	l.cache.settle(l)
}

// invalidate forgets what a request that changes something makes wrong: RFC
// 9111, 4.4.
func (x *exchange) invalidate(l *lookup) {
	l.cache.invalidate(string(l.uri))
	host, target := string(l.uri[:len(l.uri)-len(x.appendTarget(nil))]), string(x.appendTarget(nil))
	for _, name := range [...]string{"location", "content-location"} {
		if uri, ok := sameOrigin(host, target, string(fieldOf(&x.resp.Head, name))); ok {
			l.cache.invalidate(uri)
		}
	}
}

// sameOrigin resolves a reference found in an answer to a request for target,
// as an entry's URI. ok is false if there is none or it leads elsewhere.
func sameOrigin(host, target, reference string) (uri string, ok bool) {
	if reference == "" {
		return "", false
	}
	base, err := url.Parse("http://" + host + target)
	if err != nil {
		return "", false
	}
	u, err := base.Parse(reference)
	if err != nil || !strings.EqualFold(u.Host, host) || u.Scheme != "http" && u.Scheme != "https" {
		return "", false
	}
	return host + u.RequestURI(), true
}
