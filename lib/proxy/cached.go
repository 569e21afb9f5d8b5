package proxy

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"passenger/lib/http1"
	"passenger/lib/httpcache"
	"passenger/lib/protocol"
	"passenger/lib/proxy/apphead"
	"passenger/lib/proxy/fronted"
	"passenger/lib/proxy/packing"
	"passenger/lib/proxy/page"
	"passenger/lib/proxy/wire"
)

// turbocache returns the app's cache, nil if its answers are not kept. What it
// has is forgotten when another generation begins to answer, or ends: its
// answers may be of another release. The proxy's mutex is held.
func (p *Proxy) turbocache(a *app, r *protocol.Route) *httpcache.Cache {
	c := a.cache.Load()
	if !r.Turbocaching {
		if c != nil {
			c.KeepFor("")
			a.cache.Store(nil)
		}
		return nil
	}
	if c == nil {
		c = httpcache.New(&p.cached)
		a.cache.Store(c)
	}
	c.KeepFor(strconv.Itoa(r.Generation) + " " + r.CacheCookie + " " + strings.Join(generations(r), " "))
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
func (x *exchange) viaCache(c *httpcache.Cache) (again bool) {
	if x.req.Host == nil || x.req.Whole || x.req.upgrade {
		return x.attempts()
	}
	l := c.Lookup(&x.req.Request)
	defer l.Free()
	if !l.SetKey(x.req.appendKey(l.Room())) {
		return x.attempts()
	}
	x.lookup = l
	defer func() { x.lookup = nil }()
	if e, now := l.Answer(x.req.began); e != nil {
		x.req.span.Hit()
		return x.sendEntry(e, now)
	}
	x.req.span.Miss()
	if l.OnlyIfCached() {
		return x.page(page.Page{Status: http.StatusGatewayTimeout, Message: "The answer is not in the cache, and no other was wanted."})
	}
	return x.attempts()
}

// appendKey appends what the answers of the cache go by: the URI, as
// "host/path?query", and all else that the app is told of what is asked for and
// may make an answer's links of. What a client could say beyond that reaches no
// app.
func (q *request) appendKey(b []byte) (key []byte, host, uri int) {
	f := q.forwarded()
	b = appendLower(b, f.Host)
	host = len(b)
	b = apphead.AppendTarget(b, &q.Request)
	uri = len(b)
	b = append(append(b, f.Proto...), ' ')
	b = append(append(b, f.Port...), '\n')
	if q.client.trusted {
		for i := range q.Count() {
			if k := q.Kind(i); k == http1.XForwardedOther || k == http1.Forwarded {
				b = append(append(b, q.Line(i)...), '\n')
			}
		}
	}
	b = append(append(b, q.client.headers.Value(&q.Request, fronted.RemoteUser)...), '\n')
	if name := q.mount.cacheCookie; name != nil {
		b = append(b, q.Cookie(name)...)
	}
	return b, host, uri
}

func appendLower(b, host []byte) []byte {
	for _, c := range host {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}

// sendEntry answers with e, in one write.
func (x *exchange) sendEntry(e *httpcache.Entry, now time.Time) (again bool) {
	status, head, body := e.ForRequest(&x.req.Request)
	out := wire.TakeBuffer(len(head) + 256)
	defer out.Free()
	b := append(out.B[:0], head...)
	if e.Packable() {
		body, b = packing.Entry(&x.req.Request, x.req.mount.cache, e, &x.client.proxy.encoders, status, body, b)
	}
	b = e.AppendFields(b, status, now, len(body))
	return x.reply(status, b, body)
}

// consider looks at the head of a process's answer for what it means for the
// cache: an answer to keep, or a change that makes others wrong.
func (s *session) consider(l *httpcache.Lookup) {
	r := &s.resp
	switch {
	case !s.req.Safe():
		if r.Status >= 200 && r.Status < 400 {
			l.Invalidate(r)
		}
	case l.Keeps(r, s.req.began, time.Now()):
		l.KeepHead(s.appendKept(s.appendStatus(nil), false), s.appendKept([]byte("HTTP/1.1 304 Not Modified\r\n"), true), s.plan.Varies)
	}
}

// appendKept appends the fields that are kept of an answer, for an answer 304
// without those of the content.
func (s *session) appendKept(b []byte, notModified bool) []byte {
	r := &s.resp
	for i := range r.Count() {
		name, kind := r.Name(i), r.Kind(i)
		if s.forUs(name) || s.plan.Apart(name) || hopByHop[kind] || r.Hop(i) || kind == http1.ContentLength || http1.EqualFold(name, "age") {
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
		b = append(append(b, s.req.client.proxy.dates.At(time.Now())...), crlf...)
	}
	return b
}
