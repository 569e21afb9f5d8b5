package httpcache

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"time"

	"passenger/lib/http1"
)

// Keeps says whether the answer r is to be kept, which was asked for at sent and
// whose head came at came. Then it gets what is kept of the head by keepHead,
// and the body by add.
func (l *Lookup) Keeps(r *http1.Response, sent, came time.Time) bool {
	if !l.usable || string(l.req.Method) != "GET" {
		return false
	}
	f, ok := storable(l.req, l.asked, r, sent, came)
	kind := r.Body(false)
	if !ok || kind == http1.UntilClose {
		l.cache.release(l) // who waits for it waits in vain
		return false
	}
	vary, ok := l.varies(r)
	if !ok {
		l.cache.release(l)
		return false
	}
	e := &Entry{
		uri: string(l.uri), variant: string(l.variant), vary: vary, freshness: f, came: came,
		status: r.Status, bare: r.Status == http.StatusNoContent,
		etag: string(r.FindName("etag")), lastModified: string(r.FindName("last-modified")),
	}
	if e.lastModified == "" { // RFC 9111, 4.3.2: then the date counts
		e.lastModified = came.UTC().Format(http.TimeFormat)
		if date := r.Find(http1.Date); date != nil {
			e.lastModified = string(date)
		}
	}
	l.pending, l.chunked = e, kind == http1.ChunkedEnd && l.req.Minor > 0
	return true
}

// KeepHead gives the answer that is to be kept its status line and fields, but
// for those of a connection and of a length, and those of an answer 304.
//
// packable says that it may be sent in other forms; then neither has an entity tag.
func (l *Lookup) KeepHead(head, notModified []byte, packable bool) {
	l.pending.head, l.pending.notModified, l.pending.packable = head, notModified, packable
}

// Decoded says that the body that is added has no chunks any more.
func (l *Lookup) Decoded() { l.chunked = false }

// Add takes the next part of the answer's body in, and keeps the answer when it
// ended.
func (l *Lookup) Add(part []byte, ended bool) {
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
func (l *Lookup) drop() {
	l.pending, l.body = nil, nil
	l.cache.release(l)
}

// Invalidate forgets what a request that changes something, which r answers,
// makes wrong: RFC 9111, 4.4.
func (l *Lookup) Invalidate(r *http1.Response) {
	l.cache.invalidate(string(l.uri))
	host, target := string(l.host), string(l.uri[len(l.host):])
	for _, name := range [...]string{"location", "content-location"} {
		if uri, ok := sameOrigin(host, target, string(r.FindName(name))); ok {
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
