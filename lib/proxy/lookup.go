package proxy

import (
	"bytes"
	"sync"
	"time"

	"passenger/lib/http1"
)

// maxKey is the longest URI with all else that an answer is kept by.
const maxKey = 2 << 10

// A lookup is a request's business with its app's cache, borrowed for as long
// as the request lasts.
type lookup struct {
	cache  *cache
	req    *http1.Request
	asked  directives // by the request
	usable bool       // the request may be answered by an entry, and make one

	key          []byte // holds uri and variant
	uri, variant []byte

	changes  uint64 // of the cache, counted, when it was asked
	fetching *entry // stale, and others wait until it is fetched anew

	// pending is what the answer becomes, once its body is whole; nil if it is
	// not kept. body is what came of that, chunked if it comes so.
	pending *entry
	body    []byte
	chunked bool
}

var lookups = sync.Pool{New: func() any { return &lookup{key: make([]byte, 0, maxKey)} }}

// lookup borrows a lookup; nil if the request is not the cache's business.
func (x *exchange) newLookup(c *cache) *lookup {
	if x.req.Host == nil || x.req.Whole || x.upgrade {
		return nil
	}
	l := lookups.Get().(*lookup)
	l.cache, l.req, l.asked = c, &x.req, controlOf(&x.req.Head)
	if l.makeKey(x); len(l.key) > maxKey {
		l.free()
		return nil
	}
	return l
}

func (l *lookup) free() {
	*l = lookup{key: l.key[:0]}
	if cap(l.key) <= 2*maxKey {
		lookups.Put(l)
	}
}

// makeKey makes the URI, "host/path?query", and the variant: all else that the
// app is told of what is asked for and may make an answer's links of. What a
// client could say beyond that reaches no app.
func (l *lookup) makeKey(x *exchange) {
	f := x.forwarded()
	b := appendLower(l.key[:0], f.host)
	b = x.appendTarget(b)
	n := len(b)
	b = append(append(b, f.proto...), ' ')
	b = append(append(b, f.port...), '\n')
	if x.client.trusted {
		for i := range x.req.Count() {
			if k := x.req.Kind(i); k == http1.XForwardedOther || k == http1.Forwarded {
				b = append(append(b, x.req.Line(i)...), '\n')
			}
		}
	}
	b = append(append(b, x.told(remoteUser)...), '\n')
	if name := x.mount.cacheCookie; name != nil {
		b = append(b, cookieOf(&x.req, name)...)
	}
	l.key, l.uri, l.variant = b, b[:n], b[n:]
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

// overrides are fields by which some frameworks let a request ask for something
// else than its target and method say. Nobody else shall get such an answer.
var overrides = [...]string{
	"x-original-url", "x-rewrite-url", "x-http-method-override", "x-http-method", "x-method-override", "x-host", "x-original-host",
	"x-script-name", "x-url-scheme",
}

// mayUse says that the request may be answered from a cache, and its answer be
// kept: it reads, and wants all of what its target names.
func (l *lookup) mayUse() bool {
	if m := string(l.req.Method); m != "GET" && m != "HEAD" || l.req.ContentLength > 0 || l.req.Chunked || l.asked.noStore {
		return false
	}
	for i := range l.req.Count() {
		name := l.req.Name(i)
		if http1.EqualFold(name, "range") || http1.EqualFold(name, "if-match") || http1.EqualFold(name, "if-unmodified-since") {
			return false
		}
		if len(name) > 5 && name[0]|0x20 == 'x' {
			for _, o := range overrides {
				if http1.EqualFold(name, o) {
					return false
				}
			}
		}
	}
	return true
}

// takes says that e may be the answer: RFC 9111, 4 and 5.2.1. A max-age of 0,
// which browsers send to load a page anew, takes none of this very second.
func (l *lookup) takes(e *entry, now time.Time) bool {
	age := e.ageAt(now)
	if age >= e.lifetime || l.asked.noCache || l.asked.maxAge == 0 || l.asked.maxAge != unset && age > l.asked.maxAge {
		return false
	}
	return e.lifetime-age >= l.asked.minFresh
}

// matches says that the request's fields have the values that an answer was
// chosen by.
func (l *lookup) matches(vary []varied) bool {
	for _, v := range vary {
		rest := v.value
		found := false
		for i := range l.req.Count() {
			if !http1.EqualFold(l.req.Name(i), v.name) {
				continue
			}
			value := l.req.Value(i)
			if len(rest) < len(value)+1 || rest[:len(value)] != string(value) || rest[len(value)] != '\n' {
				return false
			}
			rest, found = rest[len(value)+1:], true
		}
		if rest != "" || !found && v.value != "" {
			return false
		}
	}
	return true
}

// maxVaried is how many fields an answer that is kept may depend on.
const maxVaried = 8

// varies lists what an answer depends on. ok is false if nobody can know.
func (l *lookup) varies(r *http1.Response) (list []varied, ok bool) {
	for i := range r.Count() {
		if !http1.EqualFold(r.Name(i), "vary") {
			continue
		}
		for rest := r.Value(i); rest != nil; {
			var name []byte
			if name, rest = http1.NextToken(rest); len(name) == 0 {
				continue
			}
			if string(name) == "*" || len(list) == maxVaried {
				return nil, false
			}
			v := varied{name: string(bytes.ToLower(name))}
			for j := range l.req.Count() {
				if http1.EqualFold(l.req.Name(j), v.name) {
					v.value += string(l.req.Value(j)) + "\n"
				}
			}
			list = append(list, v)
		}
	}
	return list, true
}

// cookieOf returns the value of a cookie, nil if the request has none of the
// name.
func cookieOf(r *http1.Request, name []byte) []byte {
	for i := range r.Count() {
		if r.Kind(i) != http1.Cookie {
			continue
		}
		for list := r.Value(i); len(list) > 0; {
			var pair []byte
			pair, list, _ = bytes.Cut(list, []byte{';'})
			key, value, _ := bytes.Cut(bytes.TrimLeft(pair, " "), []byte{'='})
			if bytes.Equal(key, name) {
				return value
			}
		}
	}
	return nil
}
