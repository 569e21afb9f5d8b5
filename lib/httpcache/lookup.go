package httpcache

import (
	"bytes"
	"sync"
	"time"

	"passenger/lib/http1"
)

// maxKey is the longest URI with all else that an answer is kept by.
const maxKey = 2 << 10

// A Lookup is a request's business with its app's cache, borrowed for as long
// as the request lasts.
type Lookup struct {
	cache  *Cache
	req    *http1.Request
	asked  directives // by the request
	usable bool       // the request may be answered by an entry, and make one

	key          []byte // holds uri and variant
	uri, variant []byte
	host         []byte // what uri begins with

	changes  uint64 // of the cache, counted, when it was asked
	fetching *Entry // stale, and others wait until it is fetched anew

	// pending is what the answer becomes, once its body is whole; nil if it is
	// not kept. body is what came of that, chunked if it comes so.
	pending *Entry
	body    []byte
	chunked bool
}

var lookups = sync.Pool{New: func() any { return &Lookup{key: make([]byte, 0, maxKey)} }}

// Lookup borrows a lookup for a request. It is good for nothing until it has a key;
// Free gives it back.
func (c *Cache) Lookup(req *http1.Request) *Lookup {
	l := lookups.Get().(*Lookup)
	l.cache, l.req, l.asked = c, req, controlOf(&req.Head)
	l.usable = l.mayUse()
	return l
}

// Room is where to append a key to.
func (l *Lookup) Room() []byte { return l.key[:0] }

// SetKey has l be about key: a host, up to the byte number host, and a path,
// which are its URI up to the byte number uri, and all else that an answer goes
// by. It says whether the cache keeps anything under so long a key.
func (l *Lookup) SetKey(key []byte, host, uri int) bool {
	l.key, l.host, l.uri, l.variant = key, key[:host], key[:uri], key[uri:]
	return len(key) <= maxKey
}

// Free ends what l had to fetch, and gives l back.
func (l *Lookup) Free() {
	l.cache.release(l)
	*l = Lookup{key: l.key[:0]}
	if cap(l.key) <= 2*maxKey {
		lookups.Put(l)
	}
}

// overrides are fields by which some frameworks let a request ask for something
// else than its target and method say. No other request may get such an answer.
var overrides = [...]string{
	"x-original-url", "x-rewrite-url", "x-http-method-override", "x-http-method", "x-method-override", "x-host", "x-original-host",
	"x-script-name", "x-url-scheme",
}

// mayUse reports whether the request may be answered from a cache, and its answer be
// kept: it reads, and wants all of what its target names.
func (l *Lookup) mayUse() bool {
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

// takes reports whether e may be the answer: RFC 9111, 4 and 5.2.1. A max-age of 0,
// which browsers send to load a page anew, takes none of this very second.
func (l *Lookup) takes(e *Entry, now time.Time) bool {
	age := e.ageAt(now)
	if age >= e.lifetime || l.asked.noCache || l.asked.maxAge == 0 || l.asked.maxAge != unset && age > l.asked.maxAge {
		return false
	}
	return e.lifetime-age >= l.asked.minFresh
}

// matches reports whether the request's fields have the values that an answer was
// chosen by.
func (l *Lookup) matches(vary []varied) bool {
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

// varies lists what an answer depends on. ok is false if that cannot be
// known.
func (l *Lookup) varies(r *http1.Response) (list []varied, ok bool) {
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
